"""What the technician sees of models, in 80 columns."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from edge.package import ModelPackage
from edge.update.inventory import Held
from edge.update.slots import Slots
from edge.views import facts_table, listing_table, size

MAX_METRICS = 8


def models_view(slots: Slots, holdings: list[Held], *, held: bool) -> RenderableType:
    """Each slot, and where the update stands."""
    table = listing_table("slot", "model", "digest", "state")
    for each in holdings:
        name = f"{each.model.name} {each.model.version}" if each.model else "–"
        digest = each.model.digest.removeprefix("sha256:")[:12] if each.model else ""
        table.add_row(each.slot.value, name, digest, _state(each))
    facts = facts_table()
    facts.add_row("update", _update(slots))
    if held:
        facts.add_row("held", Text("no update begins; canopy update hold --release", "yellow"))
    return Group(table, facts)


def package_view(package: ModelPackage) -> RenderableType:
    """What a package says of itself."""
    manifest = package.manifest
    facts = facts_table()
    facts.add_row("model", f"{manifest.name} {manifest.version}")
    facts.add_row("digest", package.digest)
    facts.add_row("path", str(package.path))
    facts.add_row("input", f"{manifest.input.width_px} x {manifest.input.height_px} px")
    facts.add_row("counts", ", ".join(thing.name for thing in manifest.things))
    facts.add_row("classes", ", ".join(manifest.classes))
    facts.add_row("traits", ", ".join(manifest.traits))
    facts.add_row("files", f"{size(sum(entry.length_bytes for entry in manifest.files.values()))}")
    facts.add_row("made", f"{manifest.lineage.created_at:%F} from {manifest.lineage.git_commit or 'unknown code'}")
    for precision in manifest.models:
        metrics = list(manifest.metrics.get(precision, {}).items())[:MAX_METRICS]
        facts.add_row(precision, ", ".join(f"{name} {value:.3f}" for name, value in metrics) or "no metrics")
    return facts


def verified_view(document: dict[str, Any]) -> RenderableType:
    """What a verification found."""
    facts = facts_table()
    facts.add_row("package", f"{document['path']}: every file is what its manifest says")
    facts.add_row("golden", f"{document['golden_frames']} frames come out as recorded, on {document['backend']}")
    facts.add_row("latency", f"{document['latency_ms']:.1f} ms, the fastest of several runs")
    facts.add_row("memory", f"{size(document['peak_bytes'])} at the peak")
    return facts


def _state(held: Held) -> Text:
    if held.trouble:
        return Text(held.trouble, "red")
    if held.active:
        return Text("measures", "green")
    return Text("the model before" if held.fallback else "")


def _update(slots: Slots) -> Text:
    update = slots.update
    if update is None:
        return Text("none")
    told = f"{update.model.name} {update.model.version}: {update.phase.value.replace('_', ' ')}"
    return Text(f"{told}: {update.reason}", "red") if update.reason else Text(told)
