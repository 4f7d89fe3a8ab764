"""Which devices may enrol, and the certificates that were given out."""

from sqlalchemy import Column, String, Table

from fleet.schema.base import Moment, metadata

enroll_tokens = Table(
    "enroll_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of the token's secret
    Column("name", String(64), nullable=False),  # the device: site/device
    Column("created_by", String(256), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("serial", String(40)),  # of the certificate that it was used for
)

certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(40), primary_key=True),  # hexadecimal
    Column("name", String(64), nullable=False, index=True),
    Column("key", String(64), nullable=False),  # SHA-256 of the public key (SubjectPublicKeyInfo)
    Column("certificate", String, nullable=False),  # PEM
    Column("not_before", Moment, nullable=False),
    Column("not_after", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("reason", String(256)),
)
