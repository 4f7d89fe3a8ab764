"""How far a package's counts are off by how sure it is of what it found, measured on pictures whose truth is known.

Each picture meets every fault of ``training.synthetic.faults`` at several strengths, so that all there is between a
picture that suits the model and one that does not is seen. Scores that do not rise with the error would be no use; the
curve is made to fall as they rise (Guillory et al. 2021 and Garg et al. 2022 estimate accuracy from confidences alike).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend
from edge.contract.manifest import MANIFEST_FILE, FileEntry, Manifest
from edge.contract.reference import REFERENCE_FILE, CountErrors, Reference
from edge.drift.count_errors import error_of
from edge.errors import ConfigError
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.quality import LIT_FROM
from edge.segmentation import decode
from training.pool import Examples
from training.synthetic import RENDERERS, Tray, render_timelapse, renderer_of
from training.synthetic.faults import FAULTS

STRENGTHS = (0.5, 1.0, 1.5, 2.0, 2.5)
KNOTS = 12
BETWEEN = (0.05, 0.95)
LEAST_LOOKS = 20 * KNOTS
APART = 1e-4
"""Scores that are alike are moved apart by so much, so that the curve is one."""

WORTH = 0.8
"""An estimate that is off by more than this share of what the mean error is off by is none."""

SEED = 5_000_000
TRAYS = (Tray(), Tray(rows=2, columns=4, cell_px=300), Tray(rows=4, columns=6, cell_px=170))
DAYS, STEP_H = 32, 67
SCENES = 36


@dataclass(frozen=True, slots=True)
class Known:
    """A picture, uint8 [H, W, 3] BGR, where its plants are, bool [H, W], and how many there are of each thing."""

    pixels: NDArray[np.uint8]
    plants: NDArray[np.bool_]
    counts: Mapping[str, int]


class Look(NamedTuple):
    """One thing in one picture: its mean score, how many were found and are there, and both before the fault."""

    score: float
    found: int
    there: int
    score_before: float
    found_before: int
    picture: int


def rendered(manifest: Manifest, seed: int = SEED) -> Iterator[Known]:
    """Trays that grow for a month, or scenes of the kind that the model knows."""
    renderer = renderer_of(manifest.classes, tuple(thing.name for thing in manifest.things))
    if renderer is RENDERERS["rosettes"]:
        for number, tray in enumerate(TRAYS):
            yield from grown(seed + number, tray)
        return
    size = manifest.input
    for number in range(SCENES):
        scene = renderer.render(seed + number, size.height_px, size.width_px)
        counts = {name: len(own) for name, own in zip(renderer.things, scene.labels.centres, strict=True)}
        yield Known(scene.pixels, scene.labels.instances[0] > 0, counts)


def grown(seed: int, tray: Tray) -> Iterator[Known]:
    """A tray every ``STEP_H``, by day and where something grows."""
    for moment in render_timelapse(seed, tray, DAYS, STEP_H):
        if moment.plots and moment.scene.pixels.mean() > LIT_FROM:
            leaves = sum(moment.truth(plot)[0] for plot in moment.plots)
            plants = moment.scene.labels.instances[0] > 0
            yield Known(moment.scene.pixels, plants, {"plant": len(moment.plots), "leaf": leaves})


def labelled(examples: Examples, manifest: Manifest) -> Iterator[Known]:
    """Photographs; of a thing that was not labelled the count is not known."""
    names = [thing.name for thing in manifest.things]
    for index in range(len(examples)):
        pixels, labels = examples[index]
        counts = {name: len(labels.centres[row]) for row, name in enumerate(names) if labels.annotated[row]}
        yield Known(pixels, labels.instances[0] > 0, counts)


def measure(package: ModelPackage, backend: Backend, pictures: Iterable[Known]) -> dict[str, CountErrors]:
    """The errors of each thing under every fault; a thing of which they cannot be told is left out.

    Raises:
        ConfigError: there are too few pictures in which anything was found.
    """
    looks: dict[str, list[Look]] = {}
    for number, known in enumerate(pictures):
        before: dict[str, tuple[float, int]] = {}
        for pixels in _under_faults(known, number):
            for thing, score, found in look(package, backend, pixels):
                score_before, found_before = before.setdefault(thing, (score, found))
                if thing in known.counts and found:
                    there = known.counts[thing]
                    looks.setdefault(thing, []).append(Look(score, found, there, score_before, found_before, number))
    if not looks or min(map(len, looks.values())) < LEAST_LOOKS:
        raise ConfigError(f"something was found in too few pictures; give more: {LEAST_LOOKS} looks are needed")
    return {thing: curve(own) for thing, own in looks.items() if tells(own)}


def tells(looks: Sequence[Look]) -> bool:
    """Whether half of the pictures tell the errors of the other half better than the mean error does."""
    known = curve([one for one in looks if one.picture % 2 == 0])
    others = [one for one in looks if one.picture % 2]
    true = np.array([abs(one.found - one.there) for one in others])
    told = [error_of(one.found, one.score, one.found_before, one.score_before, known) for one in others]
    apart = np.abs(true - np.array([error.error if error else 0.0 for error in told]))
    return bool(apart.mean() <= WORTH * np.abs(true - true.mean()).mean())


def look(package: ModelPackage, backend: Backend, pixels: NDArray[np.uint8]) -> Iterator[tuple[str, float, int]]:
    """Of each thing the mean score of what is found, and how many."""
    size = package.manifest.input
    image, placement = fit(pixels, size.height_px, size.width_px)
    objects = decode(backend.infer(image), package.manifest, placement).objects
    for index, thing in enumerate(package.manifest.things):
        scores = objects.score[objects.thing == index]
        yield thing.name, float(scores.mean()) if len(scores) else 0.0, len(scores)


def curve(looks: Sequence[Look]) -> CountErrors:
    """Pictures of like scores together, made to fall.

    The error of a group is that of all its pictures together; the interval is that of single pictures.
    """
    score, found, there = np.array(sorted((one.score, one.found, one.there) for one in looks), np.float64).T
    apart = np.abs(found - there)
    parts = np.array_split(np.arange(len(score)), KNOTS)
    middle = [apart[part].sum() / found[part].sum() for part in parts]
    low, high = np.array([np.quantile(apart[part] / found[part], BETWEEN) for part in parts]).T
    least = np.minimum.accumulate(np.minimum(low, middle))
    most = np.maximum.accumulate(np.maximum(high, middle)[::-1])[::-1]
    return CountErrors(
        scores=tuple(
            min(float(score[part].mean()), 1 - APART * KNOTS) + APART * index for index, part in enumerate(parts)
        ),
        low=_rounded(least),
        middle=_rounded(np.clip(np.maximum.accumulate(middle[::-1])[::-1], least, most)),
        high=_rounded(most),
        pictures=len(score),
    )


def reference_of(package: ModelPackage) -> Reference:
    """The package's drift reference.

    Raises:
        ConfigError: it has none.
    """
    path = package.path / REFERENCE_FILE
    if not path.is_file():
        raise ConfigError(f"{path} is not there; make it with canopy-train reference, or export the package anew")
    return Reference.model_validate_json(path.read_bytes())


def add_to(package: ModelPackage, errors: dict[str, CountErrors]) -> ModelPackage:
    """Write the errors into the package's reference and seal it anew: it is another package then, by its digest.

    Raises:
        ConfigError: it has no reference.
    """
    reference = reference_of(package).model_copy(update={"count_errors": errors})
    (package.path / REFERENCE_FILE).write_text(reference.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return _sealed(package.path, package.manifest)


def _sealed(folder: Path, manifest: Manifest) -> ModelPackage:
    content = (folder / REFERENCE_FILE).read_bytes()
    entry = FileEntry(sha256=f"sha256:{hashlib.sha256(content).hexdigest()}", length_bytes=len(content))
    sealed = manifest.model_copy(update={"files": manifest.files | {REFERENCE_FILE: entry}})
    text = json.dumps(json.loads(sealed.encode()), indent=1, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
    return ModelPackage.open(folder)


def _under_faults(known: Known, seed: int) -> Iterator[NDArray[np.uint8]]:
    yield known.pixels
    for fault in FAULTS.values():
        for strength in STRENGTHS:
            yield fault(known.pixels, known.plants, strength, seed)


def _rounded(line: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in line)
