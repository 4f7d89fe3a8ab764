"""Models, and which device is to run which."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from fleet.schema.base import JsonText, Moment, metadata

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
    Column("rollout_id", String(64), ForeignKey("rollouts.id")),  # the one that told it last; null: none did
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
