"""What people ask of devices and want of them, and the newest picture of each camera."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from fleet.schema.base import JsonText, Moment, metadata

asks = Table(
    "asks",  # what somebody asked a device to do once; a device's newest are kept
    metadata,
    Column("id", String(32), primary_key=True),
    Column("device_id", Integer, ForeignKey("devices.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("camera", String(64)),
    Column("who", String(256), nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("answered_at", Moment),
    Column("ok", Boolean),
    Column("reason", String, nullable=False, default=""),
    Column("media_type", String(256), nullable=False, default=""),
    Column("body", LargeBinary),
    Index("asks_by_device", "device_id", "asked_at"),
)

pictures = Table(
    "pictures",  # the newest of each camera
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("camera", String(64), primary_key=True),
    Column("taken_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("digest", String(71), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("jpeg", LargeBinary, nullable=False),
)

device_settings = Table(
    "device_settings",  # what the fleet wants otherwise than a device's own file has it
    metadata,
    Column("device_id", Integer, ForeignKey("devices.id"), primary_key=True),
    Column("settings", JsonText, nullable=False),  # value by path
    Column("told", Boolean, nullable=False),  # whether it stands in what the device was told
    Column("who", String(256), nullable=False),
    Column("wanted_at", Moment, nullable=False),
)
