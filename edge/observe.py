"""From one picture of one camera to the observations of its plots."""

from collections.abc import Iterable

from edge.clock import read_clock
from edge.contract.message import Digest
from edge.contract.records import Clock, Observation, Outcome, QualityFlag, TraitValue
from edge.frame import Frame
from edge.mailbox import Picture
from edge.model import Model
from edge.plots import Plots
from edge.preprocess import fit
from edge.quality import QualityGate
from edge.settings import CameraSettings
from edge.traits import measure

MAX_ERROR_CHARS = 300


class Observer:
    """Observes the plots of one camera.

    Every plot gets one observation for every picture: its traits, or that it holds no plant, or why nothing could be
    measured. So each of a grower's questions about a missing value has an answer.
    """

    def __init__(self, camera: CameraSettings, model: Model, *, live: bool) -> None:
        self._camera = camera
        self._model = model
        self._plots = Plots(camera.plots)
        self._gate = QualityGate(camera.quality, live=live)

    def observe(self, frame: Frame) -> list[Observation]:
        """Measure every plot in ``frame``.

        Raises:
            ModelError: the network could not be used on it.
        """
        manifest = self._model.open()
        image, placement = fit(frame.pixels, manifest.input.height_px, manifest.input.width_px)
        flags = self._gate.judge(image, placement)
        if flags:
            return self._without_traits(frame, Outcome.NOT_TAKEN, quality=flags)
        segmentation = self._model.segment(image, placement)
        measured = measure(image, segmentation, self._plots.on(placement), manifest)
        return [self._observation(frame, plot.plot, plot.outcome, traits=plot.traits) for plot in measured]

    def failed(self, picture: Picture, why: str) -> list[Observation]:
        """That the plots were to be measured in ``picture`` and could not be, and why."""
        return self._without_traits(picture, Outcome.FAILED, error=why[:MAX_ERROR_CHARS])

    def _without_traits(
        self, picture: Picture, outcome: Outcome, quality: Iterable[QualityFlag] = (), error: str = ""
    ) -> list[Observation]:
        return [
            self._observation(picture, plot, outcome, quality=tuple(quality), error=error) for plot in self._plots.names
        ]

    def _observation(
        self,
        picture: Picture,
        plot: str,
        outcome: Outcome,
        *,
        quality: tuple[QualityFlag, ...] = (),
        traits: tuple[TraitValue, ...] = (),
        error: str = "",
    ) -> Observation:
        return Observation.model_construct(
            camera=self._camera.name,
            plot=plot,
            frame_id=picture.frame_id,
            clock=_clock_of(picture),
            outcome=outcome,
            quality=quality,
            traits=traits,
            model=self._model_digest(),
            error=error,
        )

    def _model_digest(self) -> Digest | None:
        package = self._model.package
        return package.digest if package else None


def _clock_of(picture: Picture) -> Clock:
    now = read_clock()
    return now.model_copy(update={"at": picture.captured_at, "monotonic_s": picture.monotonic_s})
