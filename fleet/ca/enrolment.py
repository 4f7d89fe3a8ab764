"""Tokens, certificates and revocations, as they stand in the store: each in one transaction with its audit entry."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Row, insert, select, update

from edge.contract.enrolment import EnrolmentToken, common_name
from edge.contract.message import Name
from fleet import audit, schema
from fleet.ca import certificates
from fleet.ca.folder import Issuer
from fleet.ca.request import PublicKey, key_digest, read_certificate, read_request, verify
from fleet.errors import EnrolmentRefused, NotFound, PlanError
from fleet.login.secret import digest, new_secret

MAX_TTL = timedelta(days=90)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_tokens, _certificates = schema.enroll_tokens.c, schema.certificates.c


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long certificates are given, and for how long after their end they can still be renewed."""

    life: timedelta = timedelta(days=90)
    grace: timedelta = timedelta(0)


def make_token(
    connection: Connection, device: str, ttl: timedelta, authority: bytes, who: str, now: datetime
) -> EnrolmentToken:
    """Let one device enrol, once. Tokens of it that were not used are worthless from now on.

    Raises:
        PlanError: ``device`` is not SITE/DEVICE, or the time cannot be used.
    """
    name = device_name(device)
    if not timedelta(0) < ttl <= MAX_TTL:
        raise PlanError(f"a token is valid for up to {MAX_TTL.days} days, not for {ttl}")
    unused = (_tokens.name == name, _tokens.used_at.is_(None), _tokens.expires_at > now)
    connection.execute(update(schema.enroll_tokens).where(*unused).values(expires_at=now))
    token = EnrolmentToken(new_secret(), authority)
    row = {"digest": digest(token.secret), "name": name, "created_by": who[:256], "created_at": now}
    connection.execute(insert(schema.enroll_tokens).values(**row, expires_at=now + ttl))
    audit.record(connection, who, "device enroll-token", name, expires_at=now + ttl)
    return token


def device_name(device: str) -> str:
    """The common name of SITE/DEVICE as somebody typed it.

    Raises:
        PlanError: it is none, or too long.
    """
    site, _, rest = device.partition("/")
    try:
        return common_name(_NAME.validate_python(site), _NAME.validate_python(rest))
    except ValidationError as error:
        raise PlanError(f"{device!r:.160} is not SITE/DEVICE, as they stand in the device's file") from error
    except ValueError as error:
        raise PlanError(str(error)) from error


def enrol(connection: Connection, issuer: Issuer, terms: Terms, secret: str, csr: str, now: datetime) -> str:
    """Give a device its first certificate, as PEM.

    A device whose answer was lost may ask again with the same token and key, and gets what it got.

    Raises:
        RequestRefused: the request cannot be used; the token is as it was.
        EnrolmentRefused: the token is not known, was used, has expired, or is for another device.
    """
    name, key = read_request(csr)
    token = connection.execute(select(schema.enroll_tokens).where(_tokens.digest == digest(secret))).one_or_none()
    if token is None:
        raise EnrolmentRefused("this token is not known here; ask for one: canopy-fleet device enroll-token")
    if token.used_at is not None:
        return _again(connection, token, key)
    if token.expires_at <= now:
        raise EnrolmentRefused(
            f"this token was good until {token.expires_at:%F %R} UTC, or was replaced; ask for a new one"
        )
    if token.name != name:
        raise EnrolmentRefused(
            f"this token is for {token.name}, and {name} asks; check site and device in the device's file"
        )
    made = _issue(connection, issuer, terms, name, key, now)
    used = {"used_at": now, "serial": f"{made.serial_number:x}"}
    once = update(schema.enroll_tokens).where(_tokens.digest == token.digest, _tokens.used_at.is_(None)).values(**used)
    if connection.execute(once).rowcount != 1:
        raise EnrolmentRefused("this token is being used by another device at this moment")
    audit.record(connection, name, "device enroll", name, serial=used["serial"], until=made.not_valid_after_utc)
    return _pem(made)


def renew(
    connection: Connection, issuer: Issuer, terms: Terms, shown: str, csr: str, signature: str, now: datetime
) -> str:
    """Give the holder of a certificate the next one, as PEM.

    Raises:
        RequestRefused: the request, the certificate or the signature cannot be used.
        EnrolmentRefused: the certificate is not one of ours, was revoked, or is over.
    """
    name, key = read_request(csr)
    known = holder(connection, read_certificate(shown), signature, csr, terms.grace, now)
    if name != known.name:
        raise EnrolmentRefused(f"the certificate is of {known.name}, and {name:.64} asks")
    made = _issue(connection, issuer, terms, name, key, now)
    serial = f"{made.serial_number:x}"
    audit.record(connection, name, "device renew", name, serial=serial, until=made.not_valid_after_utc)
    return _pem(made)


def holder(
    connection: Connection, shown: x509.Certificate, signature: str, signed: str, grace: timedelta, now: datetime
) -> Row[Any]:
    """The row of the certificate whose key has signed ``signed``.

    Raises:
        RequestRefused: it is not signed with that key.
        EnrolmentRefused: the certificate is not one of ours, was revoked, or is over since more than ``grace``.
    """
    serial = f"{shown.serial_number:x}"
    known = connection.execute(select(schema.certificates).where(_certificates.serial == serial)).one_or_none()
    if known is None or known.certificate != _pem(shown):
        raise EnrolmentRefused("this certificate was not given out here; enrol anew with a token")
    verify(shown.public_key(), signature, signed)
    if known.revoked_at is not None:
        raise EnrolmentRefused(
            f"the certificate of {known.name} was revoked on {known.revoked_at:%F}; ask why, and for a new token"
        )
    if known.not_after + grace <= now:
        raise EnrolmentRefused(
            f"the certificate of {known.name} was valid until {known.not_after:%F}; enrol anew with a token"
        )
    return known


def revoke(connection: Connection, device: str, reason: str, who: str, now: datetime) -> int:
    """Make every certificate and unused token of a device worthless; returns how many certificates that were.

    Raises:
        PlanError: ``device`` is not SITE/DEVICE.
        NotFound: it has no valid certificate.
    """
    name = device_name(device)
    valid = (_certificates.name == name, _certificates.revoked_at.is_(None), _certificates.not_after > now)
    changed = {"revoked_at": now, "reason": reason[:256]}
    count = connection.execute(update(schema.certificates).where(*valid).values(**changed)).rowcount
    unused = (_tokens.name == name, _tokens.used_at.is_(None), _tokens.expires_at > now)
    tokens = connection.execute(update(schema.enroll_tokens).where(*unused).values(expires_at=now)).rowcount
    if not count + tokens:
        raise NotFound(f"{name} has no valid certificate and no token; canopy-fleet device certificates shows who has")
    audit.record(connection, who, "device revoke", name, reason=reason, certificates=count)
    return count


def revoked(connection: Connection) -> list[tuple[int, datetime]]:
    """Serial numbers and moments, for the revocation list."""
    query = select(_certificates.serial, _certificates.revoked_at).where(_certificates.revoked_at.is_not(None))
    return [(int(row.serial, 16), row.revoked_at) for row in connection.execute(query.order_by(_certificates.serial))]


def list_certificates(connection: Connection) -> list[dict[str, Any]]:
    """The newest certificate of each device."""
    columns = [column for column in schema.certificates.columns if column.name not in {"certificate", "key"}]
    rows = connection.execute(select(*columns).order_by(_certificates.name, _certificates.not_before)).mappings()
    return list({row["name"]: dict(row) for row in rows}.values())


def _again(connection: Connection, token: Any, key: PublicKey) -> str:
    row = connection.execute(select(schema.certificates).where(_certificates.serial == token.serial)).one()
    if row.key != key_digest(key) or row.revoked_at is not None:
        raise EnrolmentRefused(f"this token was used on {token.used_at:%F %R} UTC, and works once; ask for a new one")
    return str(row.certificate)


def _issue(
    connection: Connection, issuer: Issuer, terms: Terms, name: str, key: PublicKey, now: datetime
) -> x509.Certificate:
    made = certificates.client(name, key, issuer.certificate, issuer.key, now, terms.life)
    row = {"serial": f"{made.serial_number:x}", "name": name, "key": key_digest(key), "certificate": _pem(made)}
    validity = {"not_before": made.not_valid_before_utc, "not_after": made.not_valid_after_utc}
    connection.execute(insert(schema.certificates).values(**row, **validity))
    return made


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
