"""What the device is to the broker: a key and its certificate in one file, so that they always belong together.

::

    identity/ca.pem       the fleet's root and issuing certificates: whom to believe
    identity/device.pem   key and certificate with its chain; 0600
    identity/next.key     a key that waits for its certificate; a lost answer is asked for again with the same one
    identity/fleet        the fleet service's address
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from edge.clock import utc_now
from edge.contract.enrolment import RENEW_AT
from edge.errors import EnrolmentRefused, IdentityError
from edge.settings import IDENTITY

Key = ec.EllipticCurvePrivateKey
ENROL = "canopy enroll --fleet URL --token TOKEN, with a token of canopy-fleet device enroll-token"
_UNREADABLE = (OSError, ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key. ``pem`` is the certificate as the fleet gave it."""

    name: str
    key: Key = field(compare=False, repr=False)
    certificate: x509.Certificate
    fleet: str

    @property
    def pem(self) -> str:
        """The certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def expires_at(self) -> datetime:
        """Until when it is valid."""
        return self.certificate.not_valid_after_utc

    @property
    def renew_at(self) -> datetime:
        """From when on it should be renewed."""
        life = self.certificate.not_valid_after_utc - self.certificate.not_valid_before_utc
        return self.certificate.not_valid_before_utc + RENEW_AT * life


class IdentityFolder:
    """The files in ``identity`` of a state directory."""

    def __init__(self, state_dir: Path) -> None:
        folder = state_dir / IDENTITY
        self.folder = folder
        self.ca, self.device, self._next = folder / "ca.pem", folder / "device.pem", folder / "next.key"
        self._fleet = folder / "fleet"

    def read(self) -> Identity | None:
        """What the device is; ``None`` if it never enrolled.

        Raises:
            IdentityError: there is something, and it cannot be used.
        """
        try:
            content = self.device.read_bytes()
            fleet = self._fleet.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise IdentityError(f"cannot read {self.folder}: {error}; run this as the user of the daemon") from error
        try:
            key = load_pem_private_key(content, None)
            certificate = x509.load_pem_x509_certificates(content)[0]
        except _UNREADABLE as error:
            raise IdentityError(f"{self.device} is damaged: {error}; enrol anew: {ENROL}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise IdentityError(
                f"{self.device} holds another kind of key than canopy enroll makes; enrol anew: {ENROL}"
            )
        return Identity(common_name(certificate), key, certificate, fleet)

    def next_key(self) -> Key:
        """The key to get a certificate for: the one that waits, or a new one.

        Raises:
            IdentityError: it cannot be kept.
        """
        with suppress(*_UNREADABLE):
            waiting = load_pem_private_key(self._next.read_bytes(), None)
            if isinstance(waiting, ec.EllipticCurvePrivateKey):
                return waiting
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(self._next, _private_pem(key), 0o600)
        return key

    def accept(self, key: Key, certificate: str, chain: str, ca: bytes, fleet: str) -> Identity:
        """Put a new certificate in force, after it was looked at with ``checked``.

        Raises:
            IdentityError: it cannot be kept; what was in force still is.
        """
        self._write(self.ca, ca, 0o644)
        self._write(self._fleet, f"{fleet}\n".encode(), 0o644)
        self._write(self.device, _private_pem(key) + certificate.encode() + chain.encode(), 0o600)
        self._next.unlink(missing_ok=True)
        found = self.read()
        assert found is not None  # noqa: S101 - it was written a moment ago
        return found

    def _write(self, path: Path, content: bytes, mode: int) -> None:
        """In one piece, on the disk before it is there, and the daemon's also when root enrols."""
        draft = path.with_name(f".{path.name}.new")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _give(self.folder)
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _give(draft, self.folder)
            draft.replace(path)
            _sync(self.folder)
        except OSError as error:
            raise IdentityError(
                f"cannot write {path}: {error}; free space, or run this as the user of the daemon"
            ) from error


def request(key: Key, name: str) -> str:
    """A PKCS #10 request for ``name``, as PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def checked(certificate: str, chain: str, ca: bytes, key: Key, name: str) -> None:
    """Look at what the fleet gave before it is believed.

    Raises:
        EnrolmentRefused: it is not for this device and key, or not signed by an authority in ``ca``.
    """
    try:
        leaf, links = (
            x509.load_pem_x509_certificate(certificate.encode()),
            x509.load_pem_x509_certificates(chain.encode()),
        )
        believed = {found.fingerprint(hashes.SHA256()) for found in x509.load_pem_x509_certificates(ca)}
        leaf.verify_directly_issued_by(links[0])
    except (InvalidSignature, *_UNREADABLE) as error:
        raise EnrolmentRefused(f"what the fleet gave is no certificate of its authority: {error!s:.200}") from error
    if links[0].fingerprint(hashes.SHA256()) not in believed:
        raise EnrolmentRefused("another authority than the token's has signed the certificate; it is not taken")
    if common_name(leaf) != name or _public(leaf.public_key()) != _public(key.public_key()):
        raise EnrolmentRefused(
            f"the certificate is for {common_name(leaf)} or for another key, not for {name}; it is not taken"
        )


def pinned(ca: bytes, authority: bytes) -> None:
    """See that ``ca`` holds the root that the token names, and that it has signed everything else there.

    Raises:
        EnrolmentRefused: it does not.
    """
    try:
        found = x509.load_pem_x509_certificates(ca)
        root = next(one for one in found if one.fingerprint(hashes.SHA256()) == authority)
        for one in found:
            one.verify_directly_issued_by(root)
    except (StopIteration, InvalidSignature, *_UNREADABLE) as error:
        raise EnrolmentRefused(
            "this is not the fleet of the token: its authority has another fingerprint. Somebody may be in between, or "
            "the address is another fleet's; nothing was told. Check --fleet, and ask for a new token there"
        ) from error


def common_name(certificate: x509.Certificate) -> str:
    """Whom a certificate is for."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def trouble(path: Path, certificate: x509.Certificate, now: datetime | None = None) -> str:
    """Why a certificate cannot be shown at this time; empty if it can."""
    now = now or utc_now()
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    clock = f"UTC, and the clock says {now:%F %R}"
    if now < begin:
        return f"the certificate in {path} is valid from {begin:%F %R} {clock}: set the clock (timedatectl)"
    if now >= end:
        return f"the certificate in {path} was valid until {end:%F %R} {clock}: if that is right, enrol anew: {ENROL}"
    return ""


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]


def _private_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _give(path: Path, like: Path | None = None) -> None:
    """What root makes belongs to whom the folder around it belongs."""
    if os.geteuid() == 0:
        owner = (like or path.parent).stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
