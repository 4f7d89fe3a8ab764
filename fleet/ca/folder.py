"""The authority's files. ``private/`` is its owner's alone; what lies beside it is public, and the broker reads it.

::

    ca.pem               the root and the issuing certificate: Mosquitto's cafile, and what devices believe
    root.pem             the root alone
    crl.pem              what is revoked: Mosquitto's crlfile
    private/root.key     encrypted; carry it away, and bring it for a server's certificate
    private/issuing.pem, issuing.key
    private/fleet.pem    the service's own key and certificate towards the broker
"""

import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from fleet.ca import certificates
from fleet.errors import AuthorityError

MIN_PASSPHRASE_CHARS = 10
MAX_PEM_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Issuer:
    """What signs devices: a certificate and its key, under a root."""

    root: x509.Certificate
    certificate: x509.Certificate
    key: certificates.Key

    @property
    def digest(self) -> bytes:
        """What a token carries of the root: its SHA-256."""
        return self.root.fingerprint(hashes.SHA256())


class CaFolder:
    """The folder of an authority."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ca, self.root, self.crl = path / "ca.pem", path / "root.pem", path / "crl.pem"
        private = path / "private"
        self.private = private
        self.root_key, self.issuing_key = private / "root.key", private / "issuing.key"
        self.issuing, self.fleet = private / "issuing.pem", private / "fleet.pem"

    @property
    def is_made(self) -> bool:
        """Whether devices can be enrolled with it."""
        return self.issuing_key.exists()

    def make(self, name: str, passphrase: str, now: datetime) -> x509.Certificate:
        """Make a root and an issuing key; returns the root.

        Raises:
            AuthorityError: there is one already, the passphrase is too short, or nothing can be written there.
        """
        if self.root.exists() or self.is_made:
            raise AuthorityError(f"{self.path} holds an authority already; devices know it: move it away to begin anew")
        if len(passphrase) < MIN_PASSPHRASE_CHARS:
            raise AuthorityError(f"the root key's passphrase needs {MIN_PASSPHRASE_CHARS} characters; take a few words")
        key, issuing_key = certificates.new_key(), certificates.new_key()
        root = certificates.root(key, name, now)
        issuing = certificates.issuing(issuing_key.public_key(), root, key, now)
        self._write(self.root_key, _private_pem(key, passphrase), private=True)
        self._write(self.issuing_key, _private_pem(issuing_key), private=True)
        self._write(self.issuing, pem(issuing))
        self._write(self.root, pem(root))
        self._write(self.ca, pem(root) + pem(issuing))
        self.write_crl([], now)
        return root

    def issuer(self) -> Issuer:
        """What signs devices.

        Raises:
            AuthorityError: it is not there or cannot be read.
        """
        if not self.is_made:
            raise AuthorityError(f"there is no authority in {self.path}; make one: canopy-fleet ca init")
        key = _read_key(self.issuing_key, None)
        return Issuer(read_certificate(self.root), read_certificate(self.issuing), key)

    def write_crl(self, revoked: list[tuple[int, datetime]], now: datetime) -> None:
        """Replace the list of what is revoked; the broker reads it when it is told to (SIGHUP)."""
        issuer = self.issuer()
        made = certificates.revocation_list(revoked, issuer.certificate, issuer.key, now)
        self._write(self.crl, made.public_bytes(Encoding.PEM))

    def listed(self) -> set[int] | None:
        """The serial numbers on the list; ``None`` where there is no list by this authority."""
        try:
            found = x509.load_pem_x509_crl(_read(self.crl))
        except (OSError, ValueError, UnsupportedAlgorithm):
            return None
        is_ours = found.issuer == read_certificate(self.issuing).subject
        return {revoked.serial_number for revoked in found} if is_ours else None

    def write_fleet(self, name: str, life: timedelta, now: datetime) -> x509.Certificate:
        """Make the service's own key and certificate towards the broker, in one file: they always belong together."""
        issuer, key = self.issuer(), certificates.new_key()
        made = certificates.client(name, key.public_key(), issuer.certificate, issuer.key, now, life)
        self._write(self.fleet, _private_pem(key) + pem(made) + pem(issuer.certificate), private=True)
        return made

    def write_server(
        self, hosts: list[str], passphrase: str, folder: Path, now: datetime
    ) -> tuple[Path, Path, x509.Certificate]:
        """Sign a server's certificate with the root; returns where it and its key are.

        Raises:
            AuthorityError: the root key or its passphrase is missing, or a host is none.
        """
        root_key, root = _read_key(self.root_key, passphrase), read_certificate(self.root)
        key = certificates.new_key()
        try:
            made = certificates.server(hosts, key.public_key(), root, root_key, now)
        except (ValueError, TypeError) as error:
            raise AuthorityError(
                f"{', '.join(hosts)} cannot be in a certificate: {error}; name hosts as they are reached"
            ) from error
        stem = "".join(char if char.isalnum() or char in ".-_" else "_" for char in hosts[0])
        at, key_at = folder / f"{stem}.pem", folder / f"{stem}.key"
        self._write(key_at, _private_pem(key), private=True)
        self._write(at, pem(made))
        return at, key_at, made

    def _write(self, path: Path, content: bytes, *, private: bool = False) -> None:
        """In one piece, and on the disk before it is there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.private.mkdir(mode=0o700, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o600 if private else 0o644)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except OSError as error:
            raise AuthorityError(f"cannot write {path}: {error}; make its folder writable for this user") from error


def pem(certificate: x509.Certificate) -> bytes:
    """A certificate as text."""
    return certificate.public_bytes(Encoding.PEM)


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a file.

    Raises:
        AuthorityError: it cannot be read.
    """
    try:
        return x509.load_pem_x509_certificates(_read(path))[0]
    except (OSError, ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise AuthorityError(f"{path} is no certificate that can be read: {error}") from error


def days_left(certificate: x509.Certificate) -> int:
    """How long it is still valid, in whole days; negative when it is over."""
    return (certificate.not_valid_after_utc - datetime.now(timezone.utc)).days


def _read_key(path: Path, passphrase: str | None) -> certificates.Key:
    try:
        key = load_pem_private_key(_read(path), passphrase.encode() if passphrase is not None else None)
    except FileNotFoundError as error:
        raise AuthorityError(f"{path} is not here; if it was carried away, bring it back for this") from error
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthorityError(
            f"the key {path} cannot be used: {error}; check the passphrase and who may read it"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityError(f"{path} is no ECDSA key; it was not made by canopy-fleet ca init")
    return key


def _private_pem(key: certificates.Key, passphrase: str = "") -> bytes:
    hidden = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_PEM_BYTES + 1)
    if len(content) > MAX_PEM_BYTES:
        raise ValueError(f"more than {MAX_PEM_BYTES} bytes")
    return content
