"""Make the tables."""

import sqlalchemy as sa
from alembic import op

from fleet import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("since", schema.Moment(), nullable=False),
        sa.Column("raised_at", schema.Moment(), nullable=True),
        sa.Column("notified_at", schema.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("rule", "site", "device", "camera"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=512), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at", schema.Moment(), nullable=False),
        sa.Column("expires_at", schema.Moment(), nullable=False),
        sa.Column("used_at", schema.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=256), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("not_before", schema.Moment(), nullable=False),
        sa.Column("not_after", schema.Moment(), nullable=False),
        sa.Column("revoked_at", schema.Moment(), nullable=True),
        sa.Column("reason", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("serial"),
    )
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificates_name"), ["name"], unique=False)

    op.create_table(
        "devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("first_seen", schema.Moment(), nullable=False),
        sa.Column("last_seen", schema.Moment(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("info", schema.JsonText, nullable=True),
        sa.Column("health", schema.JsonText, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site", "device"),
    )
    op.create_table(
        "digests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "enroll_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=256), nullable=False),
        sa.Column("created_at", schema.Moment(), nullable=False),
        sa.Column("expires_at", schema.Moment(), nullable=False),
        sa.Column("used_at", schema.Moment(), nullable=True),
        sa.Column("serial", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "frames",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("captured_at", schema.Moment(), nullable=False),
        sa.Column("received_at", schema.Moment(), nullable=False),
        sa.Column("model", sa.String(length=71), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("payload", schema.JsonText, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site", "device", "digest"),
    )
    with op.batch_alter_table("frames", schema=None) as batch_op:
        batch_op.create_index("frames_by_camera", ["site", "device", "camera", "captured_at"], unique=False)
        batch_op.create_index("frames_by_time", ["captured_at"], unique=False)
        batch_op.create_index("frames_received", ["site", "device", "received_at"], unique=False)

    op.create_table(
        "kept",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", schema.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "kinds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("trait", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )
    with op.batch_alter_table("kinds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kinds_trait"), ["trait"], unique=False)

    op.create_table(
        "models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("manifest", schema.JsonText, nullable=False),
        sa.Column("hardware", schema.JsonText, nullable=True),
        sa.Column("added_at", schema.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_table(
        "past_alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("raised_at", schema.Moment(), nullable=False),
        sa.Column("cleared_at", schema.Moment(), nullable=False),
        sa.Column("untold", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("past_alerts", schema=None) as batch_op:
        batch_op.create_index("past_alerts_by_end", ["cleared_at"], unique=False)

    op.create_table(
        "rejects",
        sa.Column("topic", sa.String(length=256), nullable=False),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column("head", sa.LargeBinary(length=256), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", schema.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "reason"),
    )
    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("plan", schema.JsonText, nullable=False),
        sa.Column("arms", schema.JsonText, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("soak_since", schema.Moment(), nullable=True),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", schema.Moment(), nullable=False),
        sa.Column("changed_at", schema.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "silences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=True),
        sa.Column("site", sa.String(length=64), nullable=True),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("camera", sa.String(length=64), nullable=True),
        sa.Column("since", schema.Moment(), nullable=False),
        sa.Column("until", schema.Moment(), nullable=False),
        sa.Column("why", sa.String(length=256), nullable=False),
        sa.Column("who", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("silences", schema=None) as batch_op:
        batch_op.create_index("silences_by_end", ["until"], unique=False)

    op.create_table(
        "trait_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password", sa.String(length=256), nullable=False),
        sa.Column("created_at", schema.Moment(), nullable=False),
        sa.Column("changed_at", schema.Moment(), nullable=False),
        sa.Column("last_login", schema.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "aliases",
        sa.Column("crop", sa.String(length=64), nullable=False),
        sa.Column("alias", sa.String(length=64), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("set_at", schema.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"]),
        sa.PrimaryKeyConstraint("crop", "alias"),
    )
    op.create_table(
        "asks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=True),
        sa.Column("who", sa.String(length=256), nullable=False),
        sa.Column("asked_at", schema.Moment(), nullable=False),
        sa.Column("expires_at", schema.Moment(), nullable=False),
        sa.Column("answered_at", schema.Moment(), nullable=True),
        sa.Column("ok", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(length=256), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("asks", schema=None) as batch_op:
        batch_op.create_index("asks_by_device", ["device_id", "asked_at"], unique=False)

    op.create_table(
        "cameras",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("crop", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("device_id", "name"),
    )
    op.create_table(
        "desired",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("rollout_id", sa.String(length=64), nullable=True),
        sa.Column("returning_to", schema.JsonText, nullable=True),
        sa.Column("payload", schema.JsonText, nullable=False),
        sa.Column("told_at", schema.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"]),
        sa.PrimaryKeyConstraint("device_id"),
    )
    op.create_table(
        "device_settings",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("settings", schema.JsonText, nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("who", sa.String(length=256), nullable=False),
        sa.Column("wanted_at", schema.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.PrimaryKeyConstraint("device_id"),
    )
    op.create_table(
        "device_tags",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=129), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.PrimaryKeyConstraint("device_id", "tag"),
    )
    op.create_table(
        "pictures",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("taken_at", schema.Moment(), nullable=False),
        sa.Column("received_at", schema.Moment(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.PrimaryKeyConstraint("device_id", "camera"),
    )
    op.create_table(
        "reported",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("payload", schema.JsonText, nullable=False),
        sa.Column("received_at", schema.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.PrimaryKeyConstraint("device_id"),
    )
    op.create_table(
        "retrainings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("champion", schema.JsonText, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("cameras", schema.JsonText, nullable=False),
        sa.Column("since", schema.Moment(), nullable=False),
        sa.Column("opened_at", schema.Moment(), nullable=False),
        sa.Column("changed_at", schema.Moment(), nullable=False),
        sa.Column("candidate", schema.JsonText, nullable=True),
        sa.Column("candidate_digest", sa.String(length=71), nullable=True),
        sa.Column("comparison", schema.JsonText, nullable=True),
        sa.Column("findings", schema.JsonText, nullable=True),
        sa.Column("rollout_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"]),
        sa.PrimaryKeyConstraint("name"),
    )
    with op.batch_alter_table("retrainings", schema=None) as batch_op:
        batch_op.create_index("retrainings_by_candidate", ["candidate_digest"], unique=False)

    op.create_table(
        "rollout_devices",
        sa.Column("rollout_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Integer(), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("previous", schema.JsonText, nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("since", schema.Moment(), nullable=True),
        sa.Column("confirmed_at", schema.Moment(), nullable=True),
        sa.Column("failure", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("changed_at", schema.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"]),
        sa.PrimaryKeyConstraint("rollout_id", "device_id"),
    )
    with op.batch_alter_table("rollout_devices", schema=None) as batch_op:
        batch_op.create_index("rollout_devices_by_device", ["device_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("created_at", schema.Moment(), nullable=False),
        sa.Column("seen_at", schema.Moment(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_user"), ["user"], unique=False)

    op.create_table(
        "streams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("first_seen", schema.Moment(), nullable=False),
        sa.Column("last_seen", schema.Moment(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("max_seq", sa.BigInteger(), nullable=False),
        sa.Column("announced_seq", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False),
        sa.Column("unset", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("device_id", "epoch"),
    )
    op.create_table(
        "trait_set_members",
        sa.Column("trait_set_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["kind_id"], ["kinds.id"]),
        sa.ForeignKeyConstraint(["trait_set_id"], ["trait_sets.id"]),
        sa.PrimaryKeyConstraint("trait_set_id", "position"),
    )
    with op.batch_alter_table("trait_set_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trait_set_members_kind_id"), ["kind_id"], unique=False)

    op.create_table(
        "drift_labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("since", schema.Moment(), nullable=False),
        sa.Column("until", schema.Moment(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=256), nullable=False),
        sa.Column("said_at", schema.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("drift_labels", schema=None) as batch_op:
        batch_op.create_index("drift_labels_by_site", ["site", "since"], unique=False)

    op.create_table(
        "drift_relearns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("command_id", sa.String(length=32), nullable=False),
        sa.Column("next_at", schema.Moment(), nullable=False),
        sa.Column("expires_at", schema.Moment(), nullable=False),
        sa.Column("done_at", schema.Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"]),
        sa.ForeignKeyConstraint(["label_id"], ["drift_labels.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("drift_relearns", schema=None) as batch_op:
        batch_op.create_index("drift_relearns_by_command", ["command_id"], unique=False)
        batch_op.create_index("drift_relearns_by_label", ["label_id"], unique=False)
        batch_op.create_index("drift_relearns_open", ["done_at", "next_at"], unique=False)

    op.create_table(
        "drift_windows",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("band", sa.String(length=64), nullable=False),
        sa.Column("since", schema.Moment(), nullable=False),
        sa.Column("until", schema.Moment(), nullable=False),
        sa.Column("clock_ok", sa.Boolean(), nullable=False),
        sa.Column("received_at", schema.Moment(), nullable=False),
        sa.Column("payload", schema.JsonText, nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["digests.id"]),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "seq"),
    )
    with op.batch_alter_table("drift_windows", schema=None) as batch_op:
        batch_op.create_index("drift_windows_by_camera", ["camera_id", "model_id", "since"], unique=False)
        batch_op.create_index("drift_windows_by_time", ["until", "stream_id", "seq"], unique=False)

    op.create_table(
        "events",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("camera", sa.String(length=64), nullable=True),
        sa.Column("happened_at", schema.Moment(), nullable=False),
        sa.Column("clock_ok", sa.Boolean(), nullable=False),
        sa.Column("monotonic_s", sa.Double(), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("received_at", schema.Moment(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("detail", schema.JsonText, nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "seq"),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("events_by_arrival", ["received_at", "seq"], unique=False)
        batch_op.create_index("events_by_time", ["stream_id", "happened_at"], unique=False)

    op.create_table(
        "gaps",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("at", schema.Moment(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "first_seq", "last_seq"),
    )
    op.create_table(
        "hours",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("hour", schema.Moment(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("rolled", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "hour"),
    )
    with op.batch_alter_table("hours", schema=None) as batch_op:
        batch_op.create_index(
            "hours_to_roll",
            ["hour"],
            unique=False,
            sqlite_where=sa.text("rolled <> received"),
            postgresql_where=sa.text("rolled <> received"),
        )

    op.create_table(
        "plots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("crop", sa.String(length=64), nullable=True),
        sa.Column("stream_id", sa.Integer(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", schema.Moment(), nullable=True),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"]),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("camera_id", "name"),
    )
    with op.batch_alter_table("plots", schema=None) as batch_op:
        batch_op.create_index("plots_by_crop", ["crop"], unique=False)

    op.create_table(
        "spans",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "first_seq"),
    )
    op.create_table(
        "daily",
        sa.Column("plot_id", sa.Integer(), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=False),
        sa.Column("start", schema.Moment(), nullable=False),
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("m2", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["kind_id"], ["kinds.id"]),
        sa.ForeignKeyConstraint(["plot_id"], ["plots.id"]),
        sa.PrimaryKeyConstraint("plot_id", "kind_id", "start", "model_id"),
    )
    op.create_table(
        "hourly",
        sa.Column("plot_id", sa.Integer(), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=False),
        sa.Column("start", schema.Moment(), nullable=False),
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("m2", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["kind_id"], ["kinds.id"]),
        sa.ForeignKeyConstraint(["plot_id"], ["plots.id"]),
        sa.PrimaryKeyConstraint("plot_id", "kind_id", "start", "model_id"),
    )
    op.create_table(
        "observations",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", schema.Moment(), nullable=False),
        sa.Column("plot_id", sa.Integer(), nullable=False),
        sa.Column("captured_at", schema.Moment(), nullable=False),
        sa.Column("clock_ok", sa.Boolean(), nullable=False),
        sa.Column("repaired", sa.Boolean(), nullable=False),
        sa.Column("monotonic_s", sa.Double(), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("received_at", schema.Moment(), nullable=False),
        sa.Column("frame_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("quality", schema.JsonText, nullable=True),
        sa.Column("trait_set_id", sa.Integer(), nullable=False),
        sa.Column("readings", schema.Numbers(), nullable=False),
        sa.Column("deviations", schema.Numbers(), nullable=True),
        sa.Column("histograms", schema.JsonText, nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=True),
        sa.Column("calibration_id", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["calibration_id"], ["digests.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["digests.id"]),
        sa.ForeignKeyConstraint(["plot_id"], ["plots.id"]),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.ForeignKeyConstraint(["trait_set_id"], ["trait_sets.id"]),
        sa.PrimaryKeyConstraint("stream_id", "seq", "taken_at"),
        postgresql_partition_by="RANGE (taken_at)",
    )
    with op.batch_alter_table("observations", schema=None) as batch_op:
        batch_op.create_index("observations_by_plot", ["plot_id", "taken_at"], unique=False)
        batch_op.create_index("observations_by_time", ["taken_at", "stream_id", "seq"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("observations", schema=None) as batch_op:
        batch_op.drop_index("observations_by_time")
        batch_op.drop_index("observations_by_plot")

    op.drop_table("observations")
    op.drop_table("hourly")
    op.drop_table("daily")
    op.drop_table("spans")
    with op.batch_alter_table("plots", schema=None) as batch_op:
        batch_op.drop_index("plots_by_crop")

    op.drop_table("plots")
    with op.batch_alter_table("hours", schema=None) as batch_op:
        batch_op.drop_index(
            "hours_to_roll", sqlite_where=sa.text("rolled <> received"), postgresql_where=sa.text("rolled <> received")
        )

    op.drop_table("hours")
    op.drop_table("gaps")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("events_by_time")
        batch_op.drop_index("events_by_arrival")

    op.drop_table("events")
    with op.batch_alter_table("drift_windows", schema=None) as batch_op:
        batch_op.drop_index("drift_windows_by_time")
        batch_op.drop_index("drift_windows_by_camera")

    op.drop_table("drift_windows")
    with op.batch_alter_table("drift_relearns", schema=None) as batch_op:
        batch_op.drop_index("drift_relearns_open")
        batch_op.drop_index("drift_relearns_by_label")
        batch_op.drop_index("drift_relearns_by_command")

    op.drop_table("drift_relearns")
    with op.batch_alter_table("drift_labels", schema=None) as batch_op:
        batch_op.drop_index("drift_labels_by_site")

    op.drop_table("drift_labels")
    with op.batch_alter_table("trait_set_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_trait_set_members_kind_id"))

    op.drop_table("trait_set_members")
    op.drop_table("streams")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_user"))

    op.drop_table("sessions")
    with op.batch_alter_table("rollout_devices", schema=None) as batch_op:
        batch_op.drop_index("rollout_devices_by_device")

    op.drop_table("rollout_devices")
    with op.batch_alter_table("retrainings", schema=None) as batch_op:
        batch_op.drop_index("retrainings_by_candidate")

    op.drop_table("retrainings")
    op.drop_table("reported")
    op.drop_table("pictures")
    op.drop_table("device_tags")
    op.drop_table("device_settings")
    op.drop_table("desired")
    op.drop_table("cameras")
    with op.batch_alter_table("asks", schema=None) as batch_op:
        batch_op.drop_index("asks_by_device")

    op.drop_table("asks")
    op.drop_table("aliases")
    op.drop_table("users")
    op.drop_table("trait_sets")
    with op.batch_alter_table("silences", schema=None) as batch_op:
        batch_op.drop_index("silences_by_end")

    op.drop_table("silences")
    op.drop_table("rollouts")
    op.drop_table("rejects")
    with op.batch_alter_table("past_alerts", schema=None) as batch_op:
        batch_op.drop_index("past_alerts_by_end")

    op.drop_table("past_alerts")
    op.drop_table("models")
    with op.batch_alter_table("kinds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_kinds_trait"))

    op.drop_table("kinds")
    op.drop_table("kept")
    with op.batch_alter_table("frames", schema=None) as batch_op:
        batch_op.drop_index("frames_received")
        batch_op.drop_index("frames_by_time")
        batch_op.drop_index("frames_by_camera")

    op.drop_table("frames")
    op.drop_table("enroll_tokens")
    op.drop_table("digests")
    op.drop_table("devices")
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificates_name"))

    op.drop_table("certificates")
    op.drop_table("audit")
    op.drop_table("api_tokens")
    op.drop_table("alerts")
