"""How well a model does on labelled pictures, read through the device's own decoder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np
import torch
from numpy.typing import NDArray

from edge.backends import Inference
from edge.contract.manifest import Lineage, Manifest
from edge.segmentation import NONE, Segmentation, decode
from training import metrics
from training.augment import fitted
from training.data import scaled
from training.graph import Graph
from training.labels import Labels
from training.network import Network
from training.pool import Examples
from training.spec import ModelSpec
from training.targets import LEAST_AREA_PX, owners, possible_classes, to_grid

Look = Callable[[NDArray[np.uint8]], Inference]
"""Runs a model on a fitted picture, uint8 [1, H, W, 3]."""

Example = tuple[NDArray[np.uint8], Labels]


@dataclass(frozen=True, slots=True)
class Finding:
    """One picture: what was found, and what was there.

    Attributes:
        confused: cells by (true class, found class), int64 [C, C].
        best_dice: symmetric best Dice of the grouped things.
        matches: sum of IoU, matched, wrong and missed instances of the grouped things.
        counts: by thing, how many were found and how many were there; of parts, how many on each whole.
        centres: by thing, how many centres lie in an instance of their own, lie elsewhere, and were missed.
        area: plant cells found and there.
        scores: score of each peak of the grouped things, and whether it lies in an instance of its own.
        certainty: of each class found, the model's mean certainty and the share of its cells that are right.
    """

    confused: NDArray[np.int64]
    best_dice: float
    matches: tuple[float, int, int, int]
    counts: dict[str, tuple[float, float]]
    centres: dict[str, tuple[int, int, int]]
    area: tuple[int, int]
    scores: tuple[tuple[float, bool], ...]
    certainty: tuple[tuple[float, float], ...]

    @property
    def badness(self) -> float:
        """For an order of pictures, the worst first: wrong counts, relative to what was there, and lost overlap."""
        counts = sum(abs(found - there) / max(there, 1.0) for found, there in self.counts.values())
        return counts + 1 - metrics.mean_iou(self.confused) if self.confused.any() else counts


@dataclass(slots=True)
class Report:
    """What was found in each picture, and what that comes to."""

    spec: ModelSpec
    findings: list[Finding] = field(default_factory=list)

    def add(self, found: Segmentation, certainty: NDArray[np.float32], labels: Labels) -> Finding:
        """Compare one picture, whose labels are those of the network's input."""
        finding = compare(self.spec, found, certainty, labels)
        self.findings.append(finding)
        return finding

    @property
    def badness(self) -> float:
        """Mean over the pictures; what training keeps the least of."""
        return float(np.mean([finding.badness for finding in self.findings]))

    def metrics(self) -> dict[str, float]:
        """The summary, by the names that manifests and reports use; only what can be said of these pictures."""
        found = self.findings
        confused = np.sum([finding.confused for finding in found], axis=0)
        area = [finding.area for finding in found]
        iou = np.where(
            confused.any(1), metrics.class_iou(confused), np.nan
        )  # of a class that was labelled nowhere: none
        said = {
            "mean_iou": float(np.nanmean(iou)) if confused.any() else np.nan,
            **{f"iou/{name}": value for name, value in zip(self.spec.classes, iou, strict=True)},
            "symmetric_best_dice": float(np.mean([finding.best_dice for finding in found])),
            "panoptic_quality": metrics.panoptic_quality([finding.matches for finding in found]),
            "area_relative_error": metrics.relative_error(*zip(*area, strict=True)),
            "score_calibration_error": _calibration([pair for finding in found for pair in finding.scores]),
            "certainty_calibration_error": _calibration([pair for finding in found for pair in finding.certainty]),
        }
        for name in self.spec.thing_names:
            said |= self._counting(name)
        return {name: float(value) for name, value in said.items() if np.isfinite(value)}

    def _counting(self, thing: str) -> dict[str, float]:
        counted = [finding for finding in self.findings if thing in finding.counts]
        if not counted:
            return {}
        found, there = (
            np.array(column) for column in zip(*(finding.counts[thing] for finding in counted), strict=True)
        )
        return {
            f"{thing}_count_mae": metrics.absolute_difference_in_count(found, there),
            f"{thing}_difference_in_count": metrics.difference_in_count(found, there),
            f"{thing}_count_rmse": metrics.root_mean_square_error(found, there),
            f"{thing}_count_r2": metrics.coefficient_of_determination(found, there),
            f"{thing}_centre_f1": metrics.f1(*(sum(c) for c in zip(*(f.centres[thing] for f in counted), strict=True))),
        }


def _calibration(pairs: list[tuple[float, float]] | list[tuple[float, bool]]) -> float:
    said, right = (np.array(column, np.float64) for column in zip(*pairs, strict=True)) if pairs else ((), ())
    return metrics.calibration_error(said, right)


def compare(spec: ModelSpec, found: Segmentation, certainty: NDArray[np.float32], labels: Labels) -> Finding:
    """What was found against what is there."""
    possible = possible_classes(labels)
    known = possible.sum(0) == 1
    truth = possible.argmax(0)
    instances = owners(expected(labels, spec.grouped)) * ~possible[0]
    hits = {index: _hits(found, labels, index) for index, said in enumerate(labels.annotated) if said}
    plant = np.isin(truth, [spec.classes.index(name) for name in spec.plant_classes])
    scores = found.objects.score[found.objects.thing == spec.grouped]
    return Finding(
        confused=metrics.confusion(found.classes[known], truth[known], len(spec.classes)),
        best_dice=metrics.symmetric_best_dice(found.instances - NONE, instances),
        matches=metrics.panoptic_matches(found.instances - NONE, instances),
        counts={spec.thing_names[index]: _counts(spec, found, labels, index) for index in hits},
        centres={
            spec.thing_names[index]: (int(hit.sum()), int((~hit).sum()), visible(labels, index) - int(hit.sum()))
            for index, hit in hits.items()
        },
        area=(int((found.plant & known).sum()), int((plant & known).sum())),
        scores=tuple(zip(scores.tolist(), hits.get(spec.grouped, scores > 1).tolist(), strict=True)),
        certainty=tuple(
            (float(certainty[value]), float((truth == value)[cells].mean()))
            for value in range(len(spec.classes))
            if (cells := known & (found.classes == value)).any()
        ),
    )


def _counts(spec: ModelSpec, found: Segmentation, labels: Labels, thing: int) -> tuple[float, float]:
    """How many were found and are there; of what is part of something, on each: devices count leaves by plants."""
    whole = spec.things[thing].part_of
    wholes = visible(labels, spec.thing_names.index(whole)) if whole else 1
    return count(found, thing) / max(wholes, 1), visible(labels, thing) / max(wholes, 1)


def _hits(found: Segmentation, labels: Labels, thing: int) -> NDArray[np.bool_]:
    """Which peaks of a thing lie in the box around an instance of their own, the surest first to choose."""
    objects = found.objects
    members = np.flatnonzero(objects.thing == thing)
    order = np.argsort(-objects.score[members], kind="stable")
    hits = np.zeros(len(members), np.bool_)
    hits[order] = metrics.centres_matched(objects.y[members][order], objects.x[members][order], _boxes(labels, thing))
    return hits


def _boxes(labels: Labels, thing: int) -> NDArray[np.float32]:
    """Rows of top, left, bottom, right in cells around what is seen of each instance."""
    numbers = expected(labels, thing)
    rows, columns = np.nonzero(numbers)
    owner = numbers[rows, columns]
    low, high = np.full((int(owner.max(initial=0)) + 1, 2), 2**15), np.full((int(owner.max(initial=0)) + 1, 2), -1)
    np.minimum.at(low, owner, np.stack([rows, columns], 1))
    np.maximum.at(high, owner, np.stack([rows, columns], 1))
    there = high[:, 0] >= 0
    return np.concatenate([to_grid(low[there].astype(np.float32)), to_grid(high[there].astype(np.float32))], 1)


def count(found: Segmentation, thing: int) -> int:
    """How many of a thing were found."""
    return int(np.count_nonzero(found.objects.thing == thing))


def visible(labels: Labels, thing: int) -> int:
    """How many of a thing show enough of themselves to be counted."""
    areas_px = np.bincount(labels.instances[thing].ravel())
    return int(np.count_nonzero(areas_px[1:] >= LEAST_AREA_PX))


def expected(labels: Labels, thing: int) -> NDArray[np.uint16]:
    """The instances of a thing without those that show too little of themselves, uint16 [H, W]."""
    numbers = labels.instances[thing]
    large = np.bincount(numbers.ravel()) >= LEAST_AREA_PX
    return np.where(large[numbers], numbers, 0).astype(np.uint16)


def torch_look(network: Network, top_k: int) -> Look:
    """The network with its tail, in torch; the reference that exported files are held against."""
    graph = Graph(network, top_k).eval()
    device = next(network.parameters()).device

    @torch.inference_mode()
    def look(image: NDArray[np.uint8]) -> Inference:
        return Inference(*(part[0].cpu().numpy() for part in graph(scaled(torch.from_numpy(image).to(device)))))

    return look


def evaluate_look(look: Look, manifest: Manifest, examples: Iterable[Example]) -> Report:
    """Run ``look`` on labelled pictures of any size."""
    report = Report(ModelSpec.of(manifest))
    for pixels, labels in examples:
        image, placed, placement = fitted(pixels, labels, manifest.input.height_px)
        inference = look(image)
        report.add(decode(inference, manifest, placement), inference.certainty, placed)
    return report


def each(examples: Examples) -> Iterable[Example]:
    """The examples, one by one."""
    return (examples[index] for index in range(len(examples)))


def draft_manifest(network: Network, size_px: int, top_k: int) -> Manifest:
    """What the decoder must know of a network that is no package yet."""
    return network.spec.manifest(
        size_px=size_px,
        top_k=top_k,
        features=network.settings.widths[3],
        version="0.0.0",
        lineage=Lineage(created_at=datetime.now(timezone.utc)),
    )
