"""What the readings of an hour and of a day come to. They stay when the readings themselves have been let go.

``mean``, ``m2`` (the sum of squared deviations from it), ``low`` and ``high`` are over ``count`` readings of one kind,
made by one model on one plot. Days are days in UTC.
"""

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Integer, Table

from fleet.schema.base import Moment, metadata


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("plot_id", Integer, ForeignKey("plots.id"), primary_key=True),
        Column("kind_id", Integer, ForeignKey("kinds.id"), primary_key=True),
        Column("start", Moment, primary_key=True),
        Column("model_id", Integer, primary_key=True, autoincrement=False),  # of ``digests``; 0: none
        Column("count", BigInteger, nullable=False),
        Column("mean", Double, nullable=False),
        Column("m2", Double, nullable=False),
        Column("low", Double, nullable=False),
        Column("high", Double, nullable=False),
    )


kept = Table(
    "kept",  # one row, once readings have been let go of
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("since", Moment, nullable=False),  # from when on every reading is still there
)
hourly = _rollup("hourly")
daily = _rollup("daily")
