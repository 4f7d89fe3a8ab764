"""A champion and a candidate on the same labelled pictures, each by the file that a device here would run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edge.backends import open_backend, prepare
from edge.contract.comparison import Comparison, Slice
from edge.errors import ConfigError
from edge.package import ModelPackage
from edge.settings import InferenceSettings
from training.args import DataSettings
from training.datasets import open_dataset
from training.datasets.photographs import Photographs
from training.evaluate import each, evaluate_look
from training.pool import DIGEST_FILE, Examples, Pool
from training.spec import ModelSpec


def contest(champion: ModelPackage, candidate: ModelPackage, slices: Mapping[str, Examples]) -> Comparison:
    """Measure both on every slice, through the device's own decoder.

    Raises:
        ConfigError: they do not answer the same question.
        CanopyError: a package cannot run here, or a picture cannot be read.
    """
    comparable(champion, candidate)
    ours, theirs = _measured(champion, slices), _measured(candidate, slices)
    return Comparison(
        champion=champion.ref,
        candidate=candidate.ref,
        made_at=datetime.now(timezone.utc),
        runs_on=(ours.runs_on, theirs.runs_on),
        slices=tuple(
            Slice(
                name=name, data=examples.digest, pictures=len(examples),
                champion=ours.metrics[name], candidate=theirs.metrics[name],
            )
            for name, examples in slices.items()
        ),
    )  # fmt: skip


def comparable(champion: ModelPackage, candidate: ModelPackage) -> ModelSpec:
    """What both are asked.

    Raises:
        ConfigError: one knows other classes, or counts other things, than the other.
    """
    ours, theirs = ModelSpec.of(champion.manifest), ModelSpec.of(candidate.manifest)
    if not ours.answers_as(theirs):
        raise ConfigError(
            f"{candidate.path} has classes {list(theirs.classes)} and counts {list(theirs.thing_names)}, "
            f"{champion.path} {list(ours.classes)} and {list(ours.thing_names)}: nothing of it can be compared"
        )
    return ours


def labelled(place: Path, spec: ModelSpec, settings: DataSettings) -> Examples:
    """Labelled pictures: a pool of rendered scenes, a COCO file, or a folder of either kind of dataset.

    Raises:
        DatasetInvalid: it is none.
    """
    if (place / DIGEST_FILE).exists():
        return Pool.open(place, spec)
    return Photographs(open_dataset(place), spec, settings.things)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a package gave on each slice, and the runtime that it had."""

    runs_on: str
    metrics: dict[str, dict[str, float]]


def _measured(package: ModelPackage, slices: Mapping[str, Examples]) -> _Measured:
    settings = InferenceSettings(package=package.path)
    prepare(package, settings, lambda _share, _what: None)
    backend = open_backend(package, settings)
    try:
        reports = {
            name: evaluate_look(backend.infer, package.manifest, each(examples)) for name, examples in slices.items()
        }
        return _Measured(backend.name, {name: report.metrics() for name, report in reports.items()})
    finally:
        backend.close()
