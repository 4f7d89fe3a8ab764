"""Drift windows as devices send them, numbered like every record, and what people say of them."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

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
    Index("drift_windows_by_time", "until", "stream_id", "seq"),
)

drift_labels = Table(
    "drift_labels",  # what a person says that a change was
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String(64), nullable=False),
    Column("camera_id", Integer, ForeignKey("cameras.id")),  # null: every camera of the site
    Column("label", String(32), nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment),  # null: from then on
    Column("note", Text, nullable=False),
    Column("who", String(256), nullable=False),
    Column("said_at", Moment, nullable=False),
    Index("drift_labels_by_site", "site", "since"),
)

drift_relearns = Table(
    "drift_relearns",  # which cameras shall begin anew after a label, and what their devices say
    metadata,
    Column("id", Integer, primary_key=True),
    Column("label_id", Integer, ForeignKey("drift_labels.id"), nullable=False),
    Column("camera_id", Integer, ForeignKey("cameras.id"), nullable=False),
    Column("command_id", String(32), nullable=False),  # the same until it is answered
    Column("next_at", Moment, nullable=False),  # not told again before
    Column("expires_at", Moment, nullable=False),
    Column("done_at", Moment),
    Column("reason", Text, nullable=False),  # what the device said last
    Index("drift_relearns_by_label", "label_id"),
    Index("drift_relearns_open", "done_at", "next_at"),
    Index("drift_relearns_by_command", "command_id"),
)
