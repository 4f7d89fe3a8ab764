"""From one picture of one camera to the observations of its plots."""

from collections.abc import Callable

from edge.clock import read_clock
from edge.contract.message import Digest
from edge.contract.records import Clock, Observation, Outcome, QualityFlag, TraitValue
from edge.frame import Frame
from edge.lookout import View
from edge.mailbox import Picture
from edge.model import Model
from edge.plots import Plots
from edge.preprocess import fit
from edge.quality import QualityGate
from edge.settings import CameraSettings
from edge.sights import Finding, Sight
from edge.traits import measure

MAX_ERROR_CHARS = 300

Witness = Callable[[Sight], None]
"""Hears of each segmentation, in the loop's thread, so it must be quick."""

Viewer = Callable[[View], None]
"""Sees each picture and what came of it, in the loop's thread, so it must be quick."""


class Observer:
    """Observes the plots of one camera.

    Every plot gets one observation for every picture: its traits, or that it holds no plant, or why nothing could be
    measured. So each of a grower's questions about a missing value has an answer.

    Args:
        camera: the camera.
        model: what finds the plants.
        live: whether an exact repetition shows that the camera hangs.
        witness: told of each segmentation.
        viewer: shown each picture with what was found.
    """

    def __init__(
        self,
        camera: CameraSettings,
        model: Model,
        *,
        live: bool,
        witness: Witness | None = None,
        viewer: Viewer = lambda _: None,
    ) -> None:
        self._camera = camera
        self._model = model
        self._witness, self._viewer = witness, viewer
        self._plots = Plots(camera.plots)
        self._gate = QualityGate(camera.quality, live=live)

    def observe(self, frame: Frame) -> list[Observation]:
        """Measure every plot in ``frame``.

        Raises:
            ModelError: the network could not be used on it.
        """
        model = self._model.use()
        manifest, digest = model.manifest, model.package.digest
        image, placement = fit(frame.pixels, manifest.input.height_px, manifest.input.width_px)
        flags = self._gate.judge(image, placement)
        if flags:
            self._viewer(View(frame, image, placement, manifest, flags))
            return self._without_traits(frame, Outcome.NOT_TAKEN, digest, quality=flags)
        segmentation = model.segment(image, placement)
        if self._witness is not None:
            finding = Finding.of(segmentation, placement, manifest)
            picture = image[0][placement.region]
            self._witness(Sight(self._camera.name, frame.monotonic_s, digest, picture, finding))
        plots = self._plots.on(placement)
        measured = measure(image, segmentation, plots, manifest)
        self._viewer(View(frame, image, placement, manifest, (), segmentation, plots, tuple(measured)))
        return [self._observation(frame, plot.plot, plot.outcome, digest, traits=plot.traits) for plot in measured]

    def failed(self, picture: Picture, why: str) -> list[Observation]:
        """That the plots were to be measured in ``picture`` and could not be, and why."""
        loaded = self._model.loaded
        digest = loaded.package.digest if loaded else None
        return self._without_traits(picture, Outcome.FAILED, digest, error=why[:MAX_ERROR_CHARS])

    def _without_traits(
        self,
        picture: Picture,
        outcome: Outcome,
        digest: Digest | None,
        quality: tuple[QualityFlag, ...] = (),
        error: str = "",
    ) -> list[Observation]:
        return [
            self._observation(picture, plot, outcome, digest, quality=quality, error=error)
            for plot in self._plots.names
        ]

    def _observation(
        self,
        picture: Picture,
        plot: str,
        outcome: Outcome,
        digest: Digest | None,
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
            model=digest,
            error=error,
        )


def _clock_of(picture: Picture) -> Clock:
    now = read_clock()
    return now.model_copy(update={"at": picture.captured_at, "monotonic_s": picture.monotonic_s})
