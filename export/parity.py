"""The parity gate: a file is admitted by what it measures on scenes, read through the device's own decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Manifest
from edge.errors import CanopyError
from training.evaluate import Look, evaluate_look
from training.labels import Labels

MAX_IOU_LOSS = 0.005
MAX_COUNT_LOSS = 0.1

Scenes = Sequence[tuple[NDArray[np.uint8], Labels]]


class ParityRefused(CanopyError):
    """A file measures worse than the network it was made from."""

    exit_code = 7


@dataclass(frozen=True, slots=True)
class Parity:
    """What a candidate loses against the reference; negative is a gain."""

    reference: dict[str, float]
    candidate: dict[str, float]

    def loss(self, metric: str) -> float:
        """How much worse the candidate is: IoU falls, errors rise."""
        change = self.candidate[metric] - self.reference[metric]
        return change if metric.endswith("_mae") else -change

    def check(self, name: str) -> None:
        """Admit or refuse.

        Raises:
            ParityRefused: it loses more than 0.5 points of mean IoU, or more than 0.1 of a count's error.
        """
        counts = sorted(metric for metric in self.reference if metric.endswith("_count_mae"))
        for metric in ("mean_iou", *counts):
            limit = MAX_COUNT_LOSS if metric in counts else MAX_IOU_LOSS
            if not self.loss(metric) <= limit:
                raise ParityRefused(
                    f"{name}: {metric} is {self.candidate[metric]:.4f}, of the network {self.reference[metric]:.4f}; "
                    f"a loss of at most {limit} is admitted. Calibrate on more pictures or ship FP16"
                )


def compare(reference: Look, candidate: Look, manifest: Manifest, scenes: Scenes) -> Parity:
    """Measure both on the same scenes."""
    measured = (evaluate_look(look, manifest, scenes).metrics() for look in (reference, candidate))
    return Parity(*measured)
