"""Drift windows as devices send them, numbered in the device's stream like every record."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table

from fleet.schema.base import JsonText, Moment, metadata

drift_windows = Table(
    "drift_windows",
    metadata,
    Column("stream_id", Integer, ForeignKey("streams.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("camera_id", Integer, ForeignKey("cameras.id"), nullable=False),
    Column("model_id", Integer, ForeignKey("digests.id"), nullable=False),
    Column("band", String(64), nullable=False),  # of the day's hours, or of the crop's stage, that is compared
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("clock_ok", Boolean, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("payload", JsonText, nullable=False),
    Index("drift_windows_by_camera", "camera_id", "model_id", "since"),
)
