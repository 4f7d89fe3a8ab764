"""Who made a package: an OpenSSF model signature beside its zip, by a key that the maker keeps.

``X.zip.sig`` is a Sigstore bundle that holds an in-toto statement over the file's SHA-256, signed with ECDSA. Any tool
of the model-signing specification verifies it; Canopy's fleet does before it publishes a package to devices.
"""

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.errors import CanopyError

SUFFIX: Final = ".sig"
PASSWORD: Final = "CANOPY_SIGNING_PASSWORD"  # noqa: S105  the name of the environment variable, no password
MAX_SIGNATURE_BYTES: Final = 2**20


class SignatureInvalid(CanopyError):
    """A file was not signed, or not by this key, or was changed since."""

    exit_code = 7


class KeyUnusable(CanopyError):
    """A key cannot be read, written or used."""

    exit_code = 2


def signature_of(file: Path) -> Path:
    """Where the signature of a file lies."""
    return file.with_name(file.name + SUFFIX)


def make_key(private: Path) -> Path:
    """Write a new key for signing, readable by its owner alone, and return its public half beside it, ``X.pub.pem``.

    It is encrypted if the environment has ``CANOPY_SIGNING_PASSWORD``.

    Raises:
        KeyUnusable: there is a file of that name, or it cannot be written.
    """
    password, key = _password(), ec.generate_private_key(ec.SECP256R1())
    cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)
    told = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public = private.with_suffix(".pub.pem")
    try:
        with os.fdopen(
            os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR), "wb"
        ) as out:
            out.write(secret)
        public.write_bytes(told)
    except OSError as error:
        raise KeyUnusable(
            f"cannot write the key {private}: {error}; name a new file in a folder that is yours"
        ) from error
    return public


def sign(file: Path, private: Path) -> Path:
    """Sign a file; returns its signature, which appears whole or not at all.

    Raises:
        KeyUnusable: ``private`` is no such key, or is encrypted and the password is not its own.
    """
    from model_signing import signing  # noqa: PLC0415  a second, and all of Sigstore

    out = signature_of(file)
    partial = out.with_name(f".{out.name}.partial")
    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=private, password=_password())
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise KeyUnusable(
            f"{private} is no private key that can sign: {error}; make one with canopy-export keygen, "
            f"and if it has a password, put that into {PASSWORD}"
        ) from error
    signer.sign(file, partial)
    partial.replace(out)
    return out


def check_signature(file: Path, public: Path) -> None:
    """See that the holder of a key has signed exactly this file.

    Raises:
        SignatureInvalid: there is no signature beside it, or it is of another key, or of another content.
        KeyUnusable: ``public`` is no public key.
    """
    from model_signing import verifying  # noqa: PLC0415

    signature = signature_of(file)
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=public)
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise KeyUnusable(f"{public} is no public key: {error}; give the .pub.pem that keygen wrote") from error
    try:
        if signature.stat().st_size > MAX_SIGNATURE_BYTES:
            raise SignatureInvalid(f"{signature} has more than {MAX_SIGNATURE_BYTES} bytes; that is no signature")
        verifier.verify(file, signature)
    except OSError as error:
        raise SignatureInvalid(f"{file} is not signed: {error}; ask its maker for {signature.name}") from error
    except InvalidSignature as error:
        raise SignatureInvalid(f"{signature} was not made with the key {public}; do not use {file.name}") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        kind = str(error).partition(":")[0]  # what follows are digests as Python prints bytes
        raise SignatureInvalid(
            f"{file} is not what {signature.name} vouches for with the key {public} ({kind}); do not use it"
        ) from error


def _password() -> bytes | None:
    return os.environ[PASSWORD].encode() if os.environ.get(PASSWORD) else None
