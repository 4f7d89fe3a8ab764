"""Where is measured: cameras and the plots that they see, with what grows there."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from fleet.schema.base import Moment, metadata

cameras = Table(
    "cameras",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("device_id", Integer, ForeignKey("devices.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("crop", String(64)),  # what people say grows there; a plot's own crop goes before it
    UniqueConstraint("device_id", "name"),
)

plots = Table(
    "plots",  # and where the newest observation of each stands: newest by number, because clocks lie
    metadata,
    Column("id", Integer, primary_key=True),
    Column("camera_id", Integer, ForeignKey("cameras.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("crop", String(64)),
    Column("stream_id", Integer, ForeignKey("streams.id")),
    Column("seq", BigInteger, nullable=False, default=0),
    Column("taken_at", Moment),
    UniqueConstraint("camera_id", "name"),
    Index("plots_by_crop", "crop"),
)
