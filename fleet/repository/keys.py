"""Keys: made, read, and named by where they are. A private key is never copied.

A person names a key by the path of a PEM file, private or public, or, where it lives in an HSM or a key service, by
``URI@PUBLIC.pem`` with a URI of securesystemslib: ``hsm:``, ``awskms:``, ``gcpkms:``, ``azurekms:``, ``hv:``.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from fleet.errors import KeyUnusable

NAME_FIELD: Final = "x-canopy-name"
"""What a key is called, in the metadata that lists it: people sign, not digests."""

MAX_PEM_BYTES: Final = 64 * 2**10

Passphrase = Callable[[str], str]
"""Asked for the passphrase of a key, by what it is called."""


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key that somebody named.

    Attributes:
        name: what people call it.
        public: its public half, as metadata lists it.
        reference: where its private half is, for ``keys.json``; ``None`` if only the public half was named.
        signer: signs with it; ``None`` likewise.
    """

    name: str
    public: SSlibKey
    reference: str | None = None
    signer: Signer | None = None


def make_key(path: Path, passphrase: str) -> NamedKey:
    """Make an Ed25519 key: the private half in ``path``, readable by its owner alone, the public one in ``path.pub``.

    An empty passphrase leaves it unencrypted.

    Raises:
        KeyUnusable: there is a file already, which is never overwritten, or none can be written.
    """
    private = Ed25519PrivateKey.generate()
    lock: KeySerializationEncryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    public_pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock), 0o600)
        _write_new(path.with_name(f"{path.name}.pub"), public_pem, 0o644)
    except OSError as error:
        raise KeyUnusable(f"cannot write a new key to {path}: {error}; name a file that does not exist") from error
    signer = CryptoSigner(private, _named(SSlibKey.from_crypto(private.public_key()), path.stem))
    return NamedKey(path.stem, signer.public_key, str(path.resolve()), signer)


def read_key(reference: str, passphrase: Passphrase) -> NamedKey:
    """Find the key that a person, or ``keys.json``, names.

    Raises:
        KeyUnusable: it cannot be read or decrypted, or others may read it.
    """
    uri, at, public_path = reference.rpartition("@")
    if at and ":" in uri:
        return _remote_key(uri, Path(public_path), passphrase)
    path = Path(reference)
    pem = _read_pem(path)
    if b"PRIVATE KEY" not in pem:
        return NamedKey(path.stem, _public(path, pem))
    try:
        signer = _file_signer(path, pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"cannot use the key {path}: {error}; see that the passphrase is the right one") from error
    return NamedKey(path.stem, signer.public_key, str(path.resolve()), signer)


def called(key: Key) -> str:
    """What a key in metadata is called, with the beginning of its digest."""
    name = key.unrecognized_fields.get(NAME_FIELD)
    return f"{name if isinstance(name, str) else '?'} ({key.keyid[:8]})"


def _file_signer(path: Path, pem: bytes, passphrase: Passphrase) -> CryptoSigner:
    if b"ENCRYPTED" in pem:
        private = load_pem_private_key(pem, passphrase(path.name).encode())
    else:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(f"others may read the key {path}, which has no passphrase: chmod 600 {path}")
        private = load_pem_private_key(pem, None)
    return CryptoSigner(private, _named(SSlibKey.from_crypto(private.public_key()), path.stem))


def _remote_key(uri: str, public_path: Path, passphrase: Passphrase) -> NamedKey:
    public = _public(public_path, _read_pem(public_path))
    try:
        signer = Signer.from_priv_key_uri(uri, public, passphrase)
    except Exception as error:
        # Each key service has errors of its own, down to those of its network.
        raise KeyUnusable(f"cannot use the key {uri}: {error}; see docs/updates.md for the forms of URIs") from error
    return NamedKey(public_path.stem, public, f"{uri}@{public_path.resolve()}", signer)


def _public(path: Path, pem: bytes) -> SSlibKey:
    try:
        return _named(SSlibKey.from_crypto(load_pem_public_key(pem)), path.stem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{path} holds no key in PEM: {error}; make one with: canopy-fleet repo key") from error


def _named(key: SSlibKey, name: str) -> SSlibKey:
    key.unrecognized_fields[NAME_FIELD] = name.removesuffix(".pem")
    return key


def _read_pem(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PEM_BYTES)
    except OSError as error:
        raise KeyUnusable(f"cannot read the key {path}: {error}; make one with: canopy-fleet repo key") from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
