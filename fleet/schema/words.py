"""Small dictionaries: what is said millions of times is written once and has a number."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text

from fleet.schema.base import metadata

digests = Table(
    "digests",  # of the models and calibrations that readings were made with
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(71), nullable=False, unique=True),
)

kinds = Table(
    "kinds",  # what is measured: values of two kinds are never compared, or averaged, without saying so
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trait", String(64), nullable=False, index=True),
    Column("unit", String(16)),  # null: one that this release does not know
    Column("method", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
)

trait_sets = Table(
    "trait_sets",  # the kinds that an observation holds, in their order: a model gives few different ones
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
)

trait_set_members = Table(
    "trait_set_members",
    metadata,
    Column("trait_set_id", Integer, ForeignKey("trait_sets.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # from 0
    Column("kind_id", Integer, ForeignKey("kinds.id"), nullable=False, index=True),
)
