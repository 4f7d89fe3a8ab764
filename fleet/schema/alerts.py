"""Alerts as they stand and as they were, and the silences that people asked for."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from fleet.schema.base import Moment, metadata

alerts = Table(
    "alerts",  # one for each subject, as it stands
    metadata,
    Column("rule", String(32), primary_key=True),
    Column("site", String(64), primary_key=True),
    Column("device", String(64), primary_key=True),
    Column("camera", String(64), primary_key=True),  # empty: the device
    Column("state", String(16), nullable=False),
    Column("value", Float, nullable=False),
    Column("told", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("raised_at", Moment),
    Column("notified_at", Moment),
)

past_alerts = Table(
    "past_alerts",  # those that are over
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rule", String(32), nullable=False),
    Column("site", String(64), nullable=False),
    Column("device", String(64), nullable=False),
    Column("camera", String(64), nullable=False),
    Column("told", Text, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("cleared_at", Moment, nullable=False),
    Column("untold", Boolean, nullable=False),  # somebody knows of it and not yet that it is over
    Index("past_alerts_by_end", "cleared_at"),
)

silences = Table(
    "silences",  # nobody is told meanwhile; what is null matches everything
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rule", String(32)),
    Column("site", String(64)),
    Column("device", String(64)),
    Column("camera", String(64)),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("why", String(256), nullable=False),
    Column("who", String(256), nullable=False),
    Index("silences_by_end", "until"),
)
