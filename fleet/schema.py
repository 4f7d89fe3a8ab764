"""The fleet's tables: one description for SQLite and PostgreSQL.

A device is (site, device); a stream is one epoch of a device, and its records are numbered 1, 2, 3 … So
(``stream_id``, ``seq``) names a record for ever, and a repeat of it is no error.
"""

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA_VERSION = 2


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no offset, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its offset."""
        return value.replace(tzinfo=timezone.utc) if value is not None and value.tzinfo is None else value


JsonText = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON that is written as ready text (the engine's serializer passes it on) and read as objects."""

metadata = MetaData()


def _stream_key() -> Column[Any]:
    return Column("stream_id", Integer, ForeignKey("streams.id"), primary_key=True)


schema_versions = Table("schema_versions", metadata, Column("version", Integer, primary_key=True))

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
    Column("camera", String(64), nullable=False),
    Column("plot", String(64), nullable=False),
    Column("captured_at", Moment, nullable=False),
    Column("clock_ok", Boolean, nullable=False),
    Column("monotonic_s", Float, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("frame_id", BigInteger, nullable=False),
    Column("outcome", String(16)),
    Column("quality", JsonText, nullable=False),
    Column("traits", JsonText, nullable=False),
    Column("model", String(71)),
    Column("calibration", String(71)),
    Column("error", String, nullable=False),
    Index("observations_by_plot", "stream_id", "plot", "captured_at"),
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
    Column("monotonic_s", Float, nullable=False),
    Column("boot_id", String, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("message", String, nullable=False),
    Column("detail", JsonText, nullable=False),
)

plots = Table(
    "plots",  # where the newest observation of each plot stands
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("camera", String(64), primary_key=True),
    Column("plot", String(64), primary_key=True),
    Column("stream_id", Integer, ForeignKey("streams.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
)

hours = Table(
    "hours",  # records received, by the hour in which they were taken
    metadata,
    _stream_key(),
    Column("hour", Moment, primary_key=True),
    Column("received", BigInteger, nullable=False),
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

device_tags = Table(
    "device_tags",  # what people say of a device
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("tag", String(129), primary_key=True),
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("digest", String(71), nullable=False, unique=True),
    Column("manifest", JsonText, nullable=False),
    Column("hardware", JsonText),  # that there is a package for; null: any
    Column("added_at", Moment, nullable=False),
    UniqueConstraint("name", "version"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("crop", String(64), primary_key=True),
    Column("alias", String(64), primary_key=True),
    Column("model_id", Integer, ForeignKey("models.id"), nullable=False),
    Column("set_at", Moment, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("plan", JsonText, nullable=False),
    Column("arms", JsonText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("wave", Integer, nullable=False),
    Column("soak_since", Moment),
    Column("begun", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),  # whether another look can change anything
    Column("reason", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

rollout_devices = Table(
    "rollout_devices",
    metadata,
    Column("rollout_id", String(64), ForeignKey("rollouts.id"), primary_key=True),
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("wave", Integer, nullable=False),
    Column("arm", Integer, nullable=False),
    Column("standing", String(16), nullable=False),
    Column("previous", JsonText),
    Column("revision", BigInteger, nullable=False),
    Column("since", Moment),
    Column("confirmed_at", Moment),
    Column("failure", String(16)),
    Column("reason", String, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Index("rollout_devices_by_device", "device_id"),
)

desired = Table(
    "desired",  # what each device was told last
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("rollout_id", String(64), ForeignKey("rollouts.id"), nullable=False),
    Column("returning_to", JsonText),
    Column("payload", JsonText, nullable=False),
    Column("told_at", Moment, nullable=False),
)

reported = Table(
    "reported",  # what each device said last of its model
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("received_at", Moment, nullable=False),
)

audit = Table(
    "audit",  # who changed what; each entry holds the hash of the one before
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("who", String(256), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("digest", String(71)),
    Column("detail", String, nullable=False),
    Column("before", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
