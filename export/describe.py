"""A package in words, and two packages side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from edge.package import ModelPackage


def describe(package: ModelPackage) -> Iterator[Table]:
    """What a person wants to know before it goes to a thousand cameras."""
    manifest, lineage = package.manifest, package.manifest.lineage
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    facts.add_row("model", f"[bold]{manifest.name} {manifest.version}[/]")
    facts.add_row("digest", package.digest)
    facts.add_row("input", f"{manifest.input.width_px} x {manifest.input.height_px} px, at most {manifest.top_k} peaks")
    facts.add_row("classes", f"{', '.join(manifest.classes)}; plant: {', '.join(manifest.plant_classes)}")
    for thing in manifest.things:
        part = f", part of {thing.part_of}" if thing.part_of else ""
        facts.add_row("counts", f"{thing.name} as {thing.count_trait} from a score of {thing.threshold:g}{part}")
    facts.add_row("traits", ", ".join(manifest.traits))
    facts.add_row("made", f"{lineage.created_at:%Y-%m-%d %H:%M} UTC, commit {lineage.git_commit or 'not recorded'}")
    facts.add_row("from data", lineage.dataset or "not recorded")
    facts.add_row("calibrated on", lineage.calibration or "not recorded")
    yield facts
    yield _table(("file", "bytes"), ((name, f"{file.length_bytes:,}") for name, file in manifest.files.items()))
    names = list(manifest.metrics)
    measured = {metric for values in manifest.metrics.values() for metric in values}
    rows = (
        (metric.replace("_", " "), *(_figure(manifest.metrics[name].get(metric)) for name in names))
        for metric in sorted(measured)
    )
    yield _table(("metric", *names), rows)


def differences(before: ModelPackage, after: ModelPackage) -> list[tuple[str, str, str]]:
    """Rows of what differs: its name, before, after."""
    ours, theirs = (dict(_flat(package.manifest.model_dump(mode="json"))) for package in (before, after))
    return [
        (name, _figure(ours.get(name)), _figure(theirs.get(name)))
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    members = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if members is None:
        yield prefix, value
        return
    for name, member in members:
        yield from _flat(member, f"{prefix}.{name}" if prefix else str(name))


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _table(head: tuple[str, ...], rows: Any) -> Table:
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    return table
