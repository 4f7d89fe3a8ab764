"""How fast a plot's plants grow: the contract's traits over time, computed from what the store has of them."""

from datetime import datetime, tzinfo

from sqlalchemy import Connection

from edge.contract import growth
from edge.contract.records import Outcome
from edge.contract.traits import LEAF_COUNT, PHYLLOCHRON, PROJECTED_LEAF_AREA, RELATIVE_GROWTH_RATE, Trait
from fleet import schema
from fleet.questions.observed import Document, documents, observed

MAX_READINGS = 20_000
"""The newest are taken; each rate says from how many days it is."""


def rates(
    connection: Connection,
    device_id: int,
    camera: str,
    plot: str,
    since: datetime,
    hours: tuple[float, float],
    zone: tzinfo,
) -> list[Document]:
    """Growth rate and phyllochron of one plot since a moment, of readings between two ``hours`` of the day in ``zone``.

    Readings of a device that did not know the time are left out. A trait is absent where the days do not tell it.
    """
    readings = _readings(connection, device_id, camera, plot, since)
    found = []
    for trait, of, compute in (
        (RELATIVE_GROWTH_RATE, PROJECTED_LEAF_AREA, growth.relative_growth_rate),
        (PHYLLOCHRON, LEAF_COUNT, growth.phyllochron),
    ):
        rate = compute(
            growth.daily([(at, values[of.name]) for at, values in readings if of.name in values], hours, zone)
        )
        if rate is not None:
            found.append(_document(trait, rate))
    return found


def _readings(
    connection: Connection, device_id: int, camera: str, plot: str, since: datetime
) -> list[tuple[datetime, dict[str, float]]]:
    table, plots, cameras = schema.observations, schema.plots, schema.cameras
    query = observed().where(
        cameras.c.device_id == device_id,
        cameras.c.name == camera,
        plots.c.name == plot,
        table.c.taken_at >= since,
        table.c.clock_ok.is_(True),
        table.c.outcome == Outcome.MEASURED.value,
    )
    found = documents(connection, query.order_by(table.c.taken_at.desc()).limit(MAX_READINGS))
    return [(row["taken_at"], {value["trait"]: float(value["value"]) for value in row["traits"]}) for row in found]


def _document(trait: Trait, rate: growth.Rate) -> Document:
    return {
        "trait": trait.name,
        "value": rate.value,
        "unit": trait.unit.value,
        "method": trait.method,
        "uncertainty": rate.sd,
        "interval_95": [rate.low, rate.high],
        "days": rate.days,
    }
