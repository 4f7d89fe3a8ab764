"""What devices send: numbered records, and the account of their numbers."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from fleet.schema.base import JsonText, Moment, Numbers, metadata

_UNROLLED = text("rolled <> received")


def _stream_key() -> Column[Any]:
    return Column("stream_id", Integer, ForeignKey("streams.id"), primary_key=True)


devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String(64), nullable=False),
    Column("device", String(64), nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("online", Boolean, nullable=False, default=False),
    Column("info", JsonText),
    Column("health", JsonText),
    UniqueConstraint("site", "device"),
)

streams = Table(
    "streams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", Integer, ForeignKey("devices.id"), nullable=False),
    Column("epoch", String(32), nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("watermark", BigInteger, nullable=False, default=0),
    Column("max_seq", BigInteger, nullable=False, default=0),  # highest number received or told dropped
    Column("announced_seq", BigInteger, nullable=False, default=0),  # highest number that the device spoke of
    Column("received", BigInteger, nullable=False, default=0),
    Column("repeated", BigInteger, nullable=False, default=0),
    Column("unset", Boolean, nullable=False, default=False),  # whether it holds records of a clock that was not set
    UniqueConstraint("device_id", "epoch"),
)

spans = Table(
    "spans",  # runs above the watermark that are received or told dropped
    metadata,
    _stream_key(),
    Column("first_seq", BigInteger, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)

gaps = Table(
    "gaps",  # runs that the device says it had to drop; records of them may have arrived all the same
    metadata,
    _stream_key(),
    Column("first_seq", BigInteger, primary_key=True),
    Column("last_seq", BigInteger, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("reason", String, nullable=False),
)

observations = Table(
    "observations",
    metadata,
    _stream_key(),
    Column("seq", BigInteger, primary_key=True),
    Column("taken_at", Moment, primary_key=True),  # the best that is known: repaired where the device's clock was wrong
    Column("plot_id", Integer, ForeignKey("plots.id"), nullable=False),
    Column("captured_at", Moment, nullable=False),  # as the device's clock had it
    Column("clock_ok", Boolean, nullable=False),
    Column("repaired", Boolean, nullable=False, default=False),  # whether ``taken_at`` was found out afterwards
    Column("monotonic_s", Double, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("frame_id", BigInteger, nullable=False),
    Column("outcome", String(16)),
    Column("quality", JsonText),
    Column("trait_set_id", Integer, ForeignKey("trait_sets.id"), nullable=False),
    Column("readings", Numbers, nullable=False),  # in the order of the trait set
    Column("deviations", Numbers),  # one standard deviation of each, or null; absent if there is none at all
    Column("histograms", JsonText),  # by position, of those that are distributions
    Column("model_id", Integer, ForeignKey("digests.id")),
    Column("calibration_id", Integer, ForeignKey("digests.id")),
    Column("error", String, nullable=False),
    Index("observations_by_plot", "plot_id", "taken_at"),
    Index("observations_by_time", "taken_at", "stream_id", "seq"),
    postgresql_partition_by="RANGE (taken_at)",
)

events = Table(
    "events",
    metadata,
    _stream_key(),
    Column("seq", BigInteger, primary_key=True),
    Column("kind", String(32)),
    Column("camera", String(64)),
    Column("happened_at", Moment, nullable=False),
    Column("clock_ok", Boolean, nullable=False),
    Column("monotonic_s", Double, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("message", String, nullable=False),
    Column("detail", JsonText, nullable=False),
    Index("events_by_time", "stream_id", "happened_at"),
    Index("events_by_arrival", "received_at", "seq"),
)

hours = Table(
    "hours",  # records received, by the hour in which they were taken
    metadata,
    _stream_key(),
    Column("hour", Moment, primary_key=True),
    Column("received", BigInteger, nullable=False),
    Column("rolled", BigInteger, nullable=False, default=0),  # the ``received`` that the roll-ups hold
    Index("hours_to_roll", "hour", sqlite_where=_UNROLLED, postgresql_where=_UNROLLED),
)

rejects = Table(
    "rejects",  # messages that were none
    metadata,
    Column("topic", String(256), primary_key=True),
    Column("reason", String(256), primary_key=True),
    Column("head", LargeBinary(256), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last_at", Moment, nullable=False),
)
