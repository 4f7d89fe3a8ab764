"""How well a model does on labelled scenes, read through the device's own decoder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np
import torch
from numpy.typing import NDArray

from edge.backends import Inference
from edge.contract.manifest import Lineage, Manifest
from edge.preprocess import fit
from edge.segmentation import NONE, Segmentation, decode
from training.data import scaled
from training.graph import Graph
from training.metrics import (
    absolute_difference_in_count,
    confusion,
    difference_in_count,
    mean_iou,
    symmetric_best_dice,
)
from training.network import Network
from training.pool import Pool
from training.rosette import LEAF, PLANT, rosette_manifest
from training.targets import LEAST_AREA_PX, Labels, majority, sample

Look = Callable[[NDArray[np.uint8]], Inference]
"""Runs a model on a fitted picture, uint8 [1, H, W, 3]."""


@dataclass(slots=True)
class Report:
    """What was found in each scene, and what was there: leaves per plant, since devices count them by plots."""

    classes: int
    confused: NDArray[np.int64] = field(init=False)
    best_dice: list[float] = field(default_factory=list)
    leaves: list[tuple[float, float]] = field(default_factory=list)
    plants: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.confused = np.zeros((self.classes, self.classes), np.int64)

    def add(self, found: Segmentation, labels: Labels) -> None:
        """Compare one scene."""
        semantic = majority(labels.classes, self.classes)
        leaves = sample(labels.instances[LEAF]) * (semantic > 0)
        self.confused += confusion(found.classes, semantic, self.classes)
        self.best_dice.append(symmetric_best_dice(found.instances - NONE, leaves))
        plants = visible(labels, PLANT)
        self.leaves.append((count(found, LEAF) / max(plants, 1), visible(labels, LEAF) / max(plants, 1)))
        self.plants.append((count(found, PLANT), plants))

    def metrics(self) -> dict[str, float]:
        """The summary, by the names that manifests and reports use."""
        return {
            "mean_iou": mean_iou(self.confused),
            "symmetric_best_dice": float(np.mean(self.best_dice)),
            "leaf_difference_in_count": difference_in_count(*zip(*self.leaves, strict=True)),
            "leaf_count_mae": absolute_difference_in_count(*zip(*self.leaves, strict=True)),
            "plant_count_mae": absolute_difference_in_count(*zip(*self.plants, strict=True)),
        }


def count(found: Segmentation, thing: int) -> int:
    """How many of a thing were found."""
    return int(np.count_nonzero(found.objects.thing == thing))


def visible(labels: Labels, thing: int) -> int:
    """How many of a thing show enough of themselves to be counted."""
    areas_px = np.bincount(labels.instances[thing].ravel())
    return int(np.count_nonzero(areas_px[1:] >= LEAST_AREA_PX))


def torch_look(network: Network, top_k: int) -> Look:
    """The network with its tail, in torch; the reference that exported files are held against."""
    graph = Graph(network, top_k).eval()

    @torch.inference_mode()
    def look(image: NDArray[np.uint8]) -> Inference:
        return Inference(*(part[0].numpy() for part in graph(scaled(torch.from_numpy(image)))))

    return look


def evaluate_look(look: Look, manifest: Manifest, scenes: Iterable[tuple[NDArray[np.uint8], Labels]]) -> Report:
    """Run ``look`` on scenes of the model's input size."""
    report = Report(len(manifest.classes))
    for pixels, labels in scenes:
        image, placement = fit(pixels, manifest.input.height_px, manifest.input.width_px)
        report.add(decode(look(image), manifest, placement), labels)
    return report


def evaluate(network: Network, pool: Pool, top_k: int) -> Report:
    """Run a network on every scene of a pool."""
    manifest = rosette_manifest(
        network.settings,
        size_px=pool.pixels.shape[1],
        top_k=top_k,
        version="0.0.0",
        lineage=Lineage(created_at=datetime.now(timezone.utc)),
    )
    scenes = ((np.asarray(pool.pixels[index]), pool.labels(index)) for index in range(len(pool)))
    return evaluate_look(torch_look(network, top_k), manifest, scenes)
