"""Retrainings: why a model is to be trained anew, what the gate was shown, and what became of it."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from fleet.schema.base import JsonText, Moment, metadata

retrainings = Table(
    "retrainings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("champion", JsonText, nullable=False),
    Column("why", Text, nullable=False),
    Column("cameras", JsonText, nullable=False),  # that changed: [[site, device, camera], …]
    Column("since", Moment, nullable=False),  # they have
    Column("opened_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("candidate", JsonText),
    Column("candidate_digest", String(71)),
    Column("comparison", JsonText),
    Column("findings", JsonText),
    Column("rollout_id", String(64), ForeignKey("rollouts.id")),
    Index("retrainings_by_candidate", "candidate_digest"),
)
