"""Settings as the technician reads them, in 80 columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from edge.settings.origin import Origin
from edge.views import listing_table

STYLES = {"fleet": "cyan", "environment": "yellow", "default": "dim"}

WIDEST_NAME = 48
"""A value is broken before a name is."""


def origins_view(found: Sequence[Origin], about_fleet: Mapping[str, Any]) -> RenderableType:
    """A line for each setting."""
    table = listing_table("setting", "value", "from")
    table.columns[0].width = min(WIDEST_NAME, max((len(each.path) for each in found), default=0))
    for each in found:
        table.add_row(each.path, _value(each.value), Text(each.origin, STYLES.get(each.origin, "")))
    told = [Text(f"the fleet's {name}: {_value(value)}", "yellow") for name, value in about_fleet.items()]
    return Group(table, *told)


def differences_view(found: Mapping[str, Mapping[str, Any]], what: str) -> RenderableType:
    """A line for each setting that differs."""
    if not found:
        return f"the file is what {what}"
    table = listing_table("setting", what, "in the file", "")
    for path, sides in found.items():
        why = Text("the fleet wants it so", "cyan") if sides["fleet"] else Text("canopy config apply")
        table.add_row(path, _value(sides["runs"]), _value(sides["file"]), why)
    return table


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "–"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items())
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)
