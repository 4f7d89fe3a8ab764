"""Observations as documents: what the page, the API and the exports show of one."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from fleet import schema

Document = dict[str, Any]

_model, _calibration = schema.digests.alias("model"), schema.digests.alias("calibration")
_NUMBERS = ("trait_set_id", "readings", "deviations", "histograms")
_OWN = tuple(
    column
    for column in schema.observations.columns
    if column.name not in {"stream_id", "plot_id", "model_id", "calibration_id"}
)


def observed() -> Select[Any]:
    """The query that ``documents`` reads; joins ``plots``, ``cameras`` and the digests. Narrow it as needed."""
    observations, plots, cameras = schema.observations, schema.plots, schema.cameras
    joined = (
        observations.join(plots, plots.c.id == observations.c.plot_id)
        .join(cameras)
        .outerjoin(_model, _model.c.id == observations.c.model_id)
        .outerjoin(_calibration, _calibration.c.id == observations.c.calibration_id)
    )
    names = (cameras.c.name.label("camera"), plots.c.name.label("plot"))
    digests = (_model.c.digest.label("model"), _calibration.c.digest.label("calibration"))
    return select(*_OWN, *names, *digests).select_from(joined)


def documents(connection: Connection, query: Select[Any]) -> list[Document]:
    """What ``observed``, narrowed and ordered, finds. ``traits`` are those that the device sent, in its order."""
    rows = connection.execute(query).mappings().all()
    kinds = kinds_of(connection, {row["trait_set_id"] for row in rows})
    return [_document(row, kinds[row["trait_set_id"]]) for row in rows]


def kinds_of(connection: Connection, trait_sets: Iterable[int]) -> dict[int, list[Document]]:
    """Trait, unit and method at each position of some trait sets."""
    found: dict[int, list[Document]] = {number: [] for number in trait_sets}
    members, kinds = schema.trait_set_members, schema.kinds
    query = select(members.c.trait_set_id, kinds.c.trait, kinds.c.unit, kinds.c.method).join_from(members, kinds)
    query = query.where(members.c.trait_set_id.in_(found)).order_by(members.c.trait_set_id, members.c.position)
    for row in connection.execute(query):
        found[row.trait_set_id].append({"trait": row.trait, "unit": row.unit, "method": row.method})
    return found


def _document(row: RowMapping, kinds: Sequence[Document]) -> Document:
    deviations, histograms = row["deviations"] or [None] * len(kinds), row["histograms"] or {}
    traits = [
        {**kind, "value": value, "uncertainty": deviation, "histogram": histograms.get(str(position), [])}
        for position, (kind, value, deviation) in enumerate(zip(kinds, row["readings"], deviations, strict=True))
    ]
    shown = {name: value for name, value in row.items() if name not in _NUMBERS}
    return {**shown, "quality": row["quality"] or [], "traits": traits}
