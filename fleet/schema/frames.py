"""Frames that came home for training; the JPEGs lie in a folder, under their digests."""

from sqlalchemy import Column, Double, Index, Integer, String, Table, UniqueConstraint

from fleet.schema.base import JsonText, Moment, metadata

frames = Table(
    "frames",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String(64), nullable=False),
    Column("device", String(64), nullable=False),
    Column("camera", String(64), nullable=False),
    Column("captured_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("model", String(71), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("probability", Double, nullable=False),
    Column("digest", String(71), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # pre-labelled, until a person has looked at it
    Column("payload", JsonText, nullable=False),  # the device's description, with the pre-labels
    UniqueConstraint("site", "device", "digest"),
    Index("frames_by_time", "captured_at"),
    Index("frames_by_camera", "site", "device", "camera", "captured_at"),
    Index("frames_received", "site", "device", "received_at"),
)
