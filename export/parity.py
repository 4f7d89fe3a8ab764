"""The parity gate: a file is admitted by what it measures on scenes, read through the device's own decoder."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Manifest
from edge.errors import CanopyError
from edge.preprocess import fit
from training.evaluate import Look, each, evaluate_look
from training.pool import Examples

MAX_IOU_LOSS: Final = 0.005
MAX_COUNT_LOSS: Final = 0.1
MAX_AREA_LOSS: Final = 0.01
"""In the mean relative error of the plants' area."""

TENSOR_SCENES = 8


class ParityRefused(CanopyError):
    """A file measures worse than the network it was made from."""

    exit_code = 7


@dataclass(frozen=True, slots=True)
class Parity:
    """What a candidate loses against the reference; negative is a gain.

    ``tensors``: how far each output of the graph is from the reference's, see ``tensor_errors``.
    """

    reference: dict[str, float]
    candidate: dict[str, float]
    tensors: dict[str, float] = field(default_factory=dict)

    def loss(self, metric: str) -> float:
        """How much worse the candidate is: IoU falls, errors rise; NaN if it did not measure what the other did."""
        change = self.candidate.get(metric, float("nan")) - self.reference[metric]
        return change if metric.endswith(("_mae", "_error")) else -change

    def check(self, name: str) -> None:
        """Admit or refuse by the traits: masks, counts and areas.

        Raises:
            ParityRefused: it loses more than 0.5 points of mean IoU, 0.1 of a count's error or a hundredth of the area,
                or there was nothing to measure.
        """
        limits = {"mean_iou": MAX_IOU_LOSS, "area_relative_error": MAX_AREA_LOSS}
        limits |= {metric: MAX_COUNT_LOSS for metric in sorted(self.reference) if metric.endswith("_count_mae")}
        asked = {metric: limit for metric, limit in limits.items() if metric in self.reference}
        if not asked:
            raise ParityRefused(f"{name}: the pictures show nothing that could be measured; give some with plants")
        for metric, limit in asked.items():
            if not self.loss(metric) <= limit:
                raise ParityRefused(
                    f"{name}: {metric} is {self.candidate.get(metric, float('nan')):.4f}, of the network "
                    f"{self.reference[metric]:.4f}; a loss of at most {limit} is admitted. Calibrate on more pictures "
                    "or ship FP16"
                )


class Yardstick:
    """What the network itself measures on scenes, which takes longest: once, for however many files are held to it."""

    def __init__(self, network: Look, manifest: Manifest, scenes: Examples) -> None:
        self._network, self._manifest, self._scenes = network, manifest, scenes

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Of the network, measured when first asked for."""
        return self._measured(self._network)

    def compare(self, candidate: Look) -> Parity:
        """Measure a candidate on the same scenes."""
        tensors = tensor_errors(self._network, candidate, self._manifest, self._scenes)
        return Parity(self.metrics, self._measured(candidate), tensors)

    def _measured(self, look: Look) -> dict[str, float]:
        return evaluate_look(look, self._manifest, each(self._scenes)).metrics()


def tensor_errors(reference: Look, candidate: Look, manifest: Manifest, scenes: Examples) -> dict[str, float]:
    """How far the outputs are apart, on the first scenes: says where a file went wrong, and admits or refuses nothing.

    ``classes``: share of cells of another class. ``centers``: change in the sum of the scores. ``offsets``: mean
    distance in cells, over plant. ``certainty`` and ``features``: mean difference by the reference's mean.
    """
    size, apart = manifest.input, []
    for index in range(min(len(scenes), TENSOR_SCENES)):
        image, _ = fit(scenes[index][0], size.height_px, size.width_px)
        ours, theirs = reference(image), candidate(image)
        plant = ours.classes > 0
        apart.append(
            {
                "classes": float(np.mean(ours.classes != theirs.classes)),
                "centers": _relative(ours.centers[:, 2].sum(), theirs.centers[:, 2].sum()),
                "offsets": float(np.abs(ours.offsets - theirs.offsets).sum(0)[plant].mean()) if plant.any() else 0.0,
                "certainty": _relative(ours.certainty, theirs.certainty),
                "features": _relative(ours.features, theirs.features),
            }
        )
    return {name: float(np.mean([entry[name] for entry in apart])) for name in apart[0]} if apart else {}


def _relative(ours: NDArray[np.float32] | np.float32, theirs: NDArray[np.float32] | np.float32) -> float:
    return float(np.mean(np.abs(theirs - ours)) / max(float(np.mean(np.abs(ours))), 1e-6))
