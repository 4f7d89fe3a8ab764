"""What the technician sees of updates, in 80 columns."""

from rich.console import Group, RenderableType
from rich.text import Text

from edge.contract.control import ModelRef, numbers
from edge.update.client import Offers, Target
from edge.views import facts_table, listing_table, size


def offers_view(offers: Offers, active: ModelRef | None) -> RenderableType:
    """What the repository has for this device, newest last."""
    facts = facts_table()
    facts.add_row("measures", f"{active.name} {active.version}" if active else Text("nothing", "red"))
    facts.add_row("holds until", f"{offers.expires_at:%F %H:%M} UTC")
    facts.add_row("signed by", ", ".join(key[:12] for key in offers.signed_by))
    if not offers.targets:
        return Group(facts, "nothing is offered for this hardware")
    table = listing_table("model", "digest", "size", "")
    for target in sorted(
        offers.targets, key=lambda each: (each.release.model.name, numbers(each.release.model.version))
    ):
        model = target.release.model
        digest = model.digest.removeprefix("sha256:")[:12]
        table.add_row(f"{model.name} {model.version}", digest, size(target.length_bytes), _standing(target, active))
    return Group(facts, table)


def _place(target: Target) -> tuple[str, tuple[int, ...]]:
    return target.release.model.name, numbers(target.release.model.version)


def _standing(target: Target, active: ModelRef | None) -> Text:
    model = target.release.model
    if active is None or model.name != active.name:
        return Text("")
    if model.digest == active.digest:
        return Text("measures", "green")
    return Text("newer" if numbers(model.version) > numbers(active.version) else "older", "dim")
