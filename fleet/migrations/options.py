"""How Alembic compares tables with ``fleet.schema``, and how it writes what it finds."""

from typing import Any, Literal

from sqlalchemy import JSON

from fleet import schema

_OURS = {schema.Moment: "schema.Moment()", schema.Numbers: "schema.Numbers()"}


def rendered(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Our own column types under their own names."""
    if kind != "type":
        return False
    if isinstance(item, JSON):
        return "schema.JsonText"
    return _OURS.get(type(item), False)


def is_ours(item: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
    """The parts of a partitioned table are made by the service, not by revisions."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", None)
    return not (reflected and str(table).startswith("observations_"))


OPTIONS: dict[str, Any] = {
    "compare_type": True,
    "render_as_batch": True,  # SQLite changes a table by making it anew
    "render_item": rendered,
    "include_object": is_ours,
}
