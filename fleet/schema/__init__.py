"""The fleet's tables: one description for SQLite and PostgreSQL.

A device is (site, device); a stream is one epoch of a device, and its records are numbered 1, 2, 3 … So
(``stream_id``, ``seq``) names a record for ever, and a repeat of it is no error.
"""

from fleet.schema.access import api_tokens, sessions, users
from fleet.schema.alerts import alerts, past_alerts, silences
from fleet.schema.asks import asks, device_settings, pictures
from fleet.schema.audit import audit
from fleet.schema.base import JsonText, Moment, Numbers, metadata
from fleet.schema.drift import drift_labels, drift_relearns, drift_windows
from fleet.schema.frames import frames
from fleet.schema.identity import certificates, enroll_tokens
from fleet.schema.places import cameras, plots
from fleet.schema.retrain import retrainings
from fleet.schema.rollouts import aliases, desired, device_tags, models, reported, rollout_devices, rollouts
from fleet.schema.rollups import daily, hourly, kept
from fleet.schema.stream import devices, events, gaps, hours, observations, rejects, spans, streams
from fleet.schema.words import digests, kinds, trait_set_members, trait_sets

__all__ = [
    "JsonText",
    "Moment",
    "Numbers",
    "alerts",
    "aliases",
    "api_tokens",
    "asks",
    "audit",
    "cameras",
    "certificates",
    "daily",
    "desired",
    "device_settings",
    "device_tags",
    "devices",
    "digests",
    "drift_labels",
    "drift_relearns",
    "drift_windows",
    "enroll_tokens",
    "events",
    "frames",
    "gaps",
    "hourly",
    "hours",
    "kept",
    "kinds",
    "metadata",
    "models",
    "observations",
    "past_alerts",
    "pictures",
    "plots",
    "rejects",
    "reported",
    "retrainings",
    "rollout_devices",
    "rollouts",
    "sessions",
    "silences",
    "spans",
    "streams",
    "trait_set_members",
    "trait_sets",
    "users",
]
