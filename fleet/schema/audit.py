"""Who changed what."""

from sqlalchemy import Column, Integer, String, Table

from fleet.schema.base import metadata

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
