"""From one picture of one camera to the observations of its plots."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from edge.backends import Inference
from edge.calibration.applied import UNCALIBRATED
from edge.calibration.watch import CalibrationWatch
from edge.clock import read_clock
from edge.contract.message import Digest
from edge.contract.records import Clock, Observation, Outcome, QualityFlag, TraitValue
from edge.drift.watch import DriftWatch
from edge.frame import Frame
from edge.harvest.harvester import Harvester, Measured
from edge.lookout import View
from edge.mailbox import Picture
from edge.model import LoadedModel, Model
from edge.plots import WHOLE_PICTURE, Plots
from edge.preprocess import Placement, fit
from edge.quality import QualityGate
from edge.segmentation import Segmentation
from edge.settings import CameraSettings
from edge.sights import Finding, Sight
from edge.tracking.leaves import LeafMemory
from edge.traits import measure

if TYPE_CHECKING:
    from edge.tracking.counted import Counted

MAX_ERROR_CHARS = 300
NOTHING = np.zeros((0, 0, 3), np.uint8)

Witness = Callable[[Sight], None]
"""Hears of each segmentation, in the loop's thread, so it must be quick."""

Viewer = Callable[[View], None]
"""Sees each picture and what came of it, in the loop's thread, so it must be quick."""


class Observer:
    """Observes the plots of one camera.

    Every plot gets one observation for every picture: its traits, or that it holds no plant, or why nothing could be
    measured. So each of a grower's questions about a missing value has an answer. Of a moving camera each object gets
    one observation, with the picture in which it left.

    Args:
        camera: the camera.
        model: what finds the plants.
        live: whether an exact repetition shows that the camera hangs.
        witness: told of each segmentation.
        drift: watches whether the pictures change.
        calibration: what is known of the camera; ``None``: nothing ever.
        viewer: shown each picture with what was found.
        harvester: keeps frames for training.
    """

    def __init__(
        self,
        camera: CameraSettings,
        model: Model,
        *,
        live: bool,
        witness: Witness | None = None,
        drift: DriftWatch | None = None,
        calibration: CalibrationWatch | None = None,
        viewer: Viewer = lambda _: None,
        harvester: Harvester | None = None,
    ) -> None:
        self._camera = camera
        self._model = model
        self._witness, self._viewer = witness, viewer
        self._drift = drift
        self._harvester = harvester
        self._plots = Plots(camera.plots)
        self._gate = QualityGate(camera.quality, live=live)
        self._calibration = calibration
        self._leaves = LeafMemory()
        self._counter = None
        self._last: Frame | None = None
        if camera.identity.kind == "moving":
            from edge.tracking.counted import Counter  # noqa: PLC0415 - SciPy is 50 MB, and only moving cameras need it

            self._counter = Counter(camera.identity)

    def observe(self, frame: Frame) -> list[Observation]:
        """Measure every plot in ``frame``.

        Raises:
            ModelError: the network could not be used on it.
        """
        self._refresh(frame.monotonic_s)
        model = self._model.use()
        manifest, digest = model.manifest, model.package.digest
        image, placement = fit(frame.pixels, manifest.input.height_px, manifest.input.width_px)
        flags = self._gate.judge(image, placement)
        if self._gate.forbids(flags):
            self._viewer(View(frame, image, placement, manifest, flags))
            return self._without_traits(frame, Outcome.NOT_TAKEN, digest, quality=flags)
        inference, segmentation = model.look(image, placement)
        clock = _clock_of(frame)
        if self._drift is not None:
            self._drift.glance(clock, image, placement)
            if self._drift.due(clock):
                self._drift.look(clock, model.package, image, placement, inference, segmentation)
        if self._witness is not None:
            finding = Finding.of(segmentation, placement, manifest)
            picture = image[0][placement.region]
            self._witness(Sight(self._camera.name, frame.monotonic_s, digest, picture, finding))
        if self._harvester is not None:
            self._harvester.look(self._measured(frame, clock, model, placement, inference, segmentation))
        applied = UNCALIBRATED
        if self._calibration is not None:
            plant = segmentation.plant[placement.grid_region]
            if self._counter is None:  # that a camera on a rail moves is no news
                self._calibration.check(image[0][placement.region], plant, frame.monotonic_s)
            applied = self._calibration.applied(placement)
            flags = (*flags, QualityFlag.MOVED) if self._calibration.moved else flags
        if self._counter is not None:
            self._last = replace(frame, pixels=NOTHING)
            counted = self._counter.step(image, segmentation, placement, manifest, applied, flags)
            return self._counted(frame, counted, digest)
        plots = self._plots.on(placement)
        followed = partial(self._leaves.step, at=frame.captured_at)
        measured = measure(image, segmentation, plots, manifest, applied, followed, flags)
        self._viewer(View(frame, image, placement, manifest, flags, segmentation, plots, tuple(measured)))
        return [
            self._observation(frame, plot.plot, plot.outcome, digest, quality=flags, traits=plot.traits)
            for plot in measured
        ]

    def failed(self, picture: Picture, why: str) -> list[Observation]:
        """That the plots were to be measured in ``picture`` and could not be, and why."""
        loaded = self._model.loaded
        digest = loaded.package.digest if loaded else None
        return self._without_traits(picture, Outcome.FAILED, digest, error=why[:MAX_ERROR_CHARS])

    def rest(self) -> list[Observation]:
        """What a moving camera has in sight still, when no picture will come any more."""
        loaded = self._model.loaded
        if self._counter is None or self._last is None or loaded is None:
            return []
        return self._counted(self._last, self._counter.rest(), loaded.package.digest)

    def _counted(self, picture: Picture, counted: "list[Counted]", digest: Digest) -> list[Observation]:
        return [
            self._observation(
                picture, WHOLE_PICTURE, each.traits.outcome, digest, traits=each.traits.traits, track=each.track
            )
            for each in counted
        ]

    def _measured(
        self,
        frame: Frame,
        clock: Clock,
        model: LoadedModel,
        placement: Placement,
        inference: Inference,
        found: Segmentation,
    ) -> Measured:
        known = self._calibration
        return Measured(
            frame, clock, placement, model.manifest, model.package.digest, inference, found,
            plots=self._camera.plots or (known.calibration.plots if known else None),
            calibration=known.digest if known else None,
            evidence=self._drift.alarms if self._drift else {},
        )  # fmt: skip

    def _refresh(self, now_s: float) -> None:
        """Take up a new calibration, with its plots; those of the configuration come first."""
        if self._calibration is not None and self._calibration.refresh(now_s):
            self._plots = Plots(self._camera.plots or self._calibration.calibration.plots)
            self._leaves = LeafMemory()

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
        track: int | None = None,
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
            calibration=self._calibration.digest if self._calibration else None,
            track=track,
            error=error,
        )


def _clock_of(picture: Picture) -> Clock:
    now = read_clock()
    return now.model_copy(update={"at": picture.captured_at, "monotonic_s": picture.monotonic_s})
