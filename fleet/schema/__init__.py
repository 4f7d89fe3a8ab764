"""The fleet's tables: one description for SQLite and PostgreSQL.

A device is (site, device); a stream is one epoch of a device, and its records are numbered 1, 2, 3 … So
(``stream_id``, ``seq``) names a record for ever, and a repeat of it is no error.
"""

from sqlalchemy import Column, Integer, Table

from fleet.schema.access import api_tokens, sessions, users
from fleet.schema.audit import audit
from fleet.schema.base import JsonText, Moment, metadata
from fleet.schema.identity import certificates, enroll_tokens
from fleet.schema.rollouts import aliases, desired, device_tags, models, reported, rollout_devices, rollouts
from fleet.schema.stream import devices, events, gaps, hours, observations, plots, rejects, spans, streams

SCHEMA_VERSION = 2

schema_versions = Table("schema_versions", metadata, Column("version", Integer, primary_key=True))

__all__ = [
    "SCHEMA_VERSION",
    "JsonText",
    "Moment",
    "aliases",
    "api_tokens",
    "audit",
    "certificates",
    "desired",
    "device_tags",
    "devices",
    "enroll_tokens",
    "events",
    "gaps",
    "hours",
    "metadata",
    "models",
    "observations",
    "plots",
    "rejects",
    "reported",
    "rollout_devices",
    "rollouts",
    "schema_versions",
    "sessions",
    "spans",
    "streams",
    "users",
]
