"""A package before it is published: taken apart with suspicion, and vouched for by the one who built it."""

import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edge.contract.control import ModelRef
from edge.contract.manifest import MANIFEST_FILE, FileEntry, Manifest
from fleet.errors import PackageRefused

MAX_FILES: Final = 256
MAX_BYTES: Final = 512 * 2**20
MAX_MANIFEST_BYTES: Final = 1_000_000
MAX_SIGNATURE_BYTES: Final = 1_000_000

_MEND = "pack it again with: canopy-export pack"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*){0,3}")
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose every file is what its manifest says.

    Attributes:
        path: the zip.
        sha256: of the zip, before anything else of it was read.
        model: name, version, and the digest of the manifest.
        unpacked_bytes: what its files have together.
    """

    path: Path
    sha256: str
    model: ModelRef
    unpacked_bytes: int


def read_package(path: Path) -> Package:
    """Read and verify a package; what is read is bounded, first by limits, then by what the manifest vouches for.

    Raises:
        PackageRefused: it is no package, or not whole.
    """
    try:
        sha256 = digest_of(path)
        with zipfile.ZipFile(path) as held:
            return _read(path, sha256, held)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise PackageRefused(f"{path} cannot be taken apart: {error}; {_MEND}") from error


def check_builder(package: Path, public_key: Path) -> None:
    """See that the builder has signed the package: OpenSSF model signing, ``X.zip.sig`` beside ``X.zip``.

    Args:
        package: the zip.
        public_key: the builder's key, an elliptic curve's, in PEM.

    Raises:
        PackageRefused: not signed, or by somebody else, or altered since.
    """
    from model_signing.verifying import Config  # noqa: PLC0415 - half a second, for this alone

    signature = package.with_name(f"{package.name}.sig")
    if not signature.is_file():
        raise PackageRefused(
            f"{package} is not signed by its builder: there is no {signature}; sign it with: canopy-export pack "
            "--sign-with KEY"
        )
    if signature.stat().st_size > MAX_SIGNATURE_BYTES:
        raise PackageRefused(f"{signature} has more than {MAX_SIGNATURE_BYTES} bytes; that is no signature")
    try:
        Config().use_elliptic_key_verifier(public_key=public_key).verify(package, signature)
    except Exception as error:
        # What is wrong with a bundle shows in errors of JSON, pydantic, cryptography and the library's own.
        raise PackageRefused(f"{signature} is not {public_key.name}'s signature of {package.name}: {error}") from error


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _read(path: Path, sha256: str, held: zipfile.ZipFile) -> Package:
    entries = held.infolist()
    names = {entry.filename for entry in entries}
    if len(entries) > MAX_FILES or len(names) < len(entries) or MANIFEST_FILE not in names:
        raise PackageRefused(f"{path} is no package: {len(entries)} entries, some twice, or no manifest; {_MEND}")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise PackageRefused(f"{path} is compressed, and devices take only what is stored; {_MEND}")
    content = b"".join(_chunks(held, MANIFEST_FILE, MAX_MANIFEST_BYTES))
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise PackageRefused(f"{path}: its {MANIFEST_FILE} cannot be used: {error}; {_MEND}") from error
    if names != {MANIFEST_FILE, *manifest.files}:
        odd = min(names ^ {MANIFEST_FILE, *manifest.files})
        raise PackageRefused(f"{path} and its manifest differ over {odd!r:.80}; {_MEND}")
    unpacked_bytes = sum(entry.length_bytes for entry in manifest.files.values())
    if unpacked_bytes > MAX_BYTES:
        raise PackageRefused(f"{path} holds more than {MAX_BYTES >> 20} MiB; no device takes it")
    for name, entry in manifest.files.items():
        _check_file(path, held, name, entry)
    model = ModelRef(
        name=manifest.name, version=manifest.version, digest=f"sha256:{hashlib.sha256(content).hexdigest()}"
    )
    return Package(path, sha256, model, unpacked_bytes)


def _check_file(path: Path, held: zipfile.ZipFile, name: str, entry: FileEntry) -> None:
    if not _FILE_NAME.fullmatch(name):
        raise PackageRefused(f"{path} has a file named {name!r:.80}, which may lie outside of it; {_MEND}")
    digest, length_bytes = hashlib.sha256(), 0
    for chunk in _chunks(held, name, entry.length_bytes):
        digest.update(chunk)
        length_bytes += len(chunk)
    if length_bytes != entry.length_bytes or f"sha256:{digest.hexdigest()}" != entry.sha256:
        raise PackageRefused(f"{path}: {name} is not what the manifest says of it; {_MEND}")


def _chunks(held: zipfile.ZipFile, name: str, most_bytes: int) -> Iterator[bytes]:
    left_bytes = most_bytes
    with held.open(name) as source:
        while chunk := source.read(_CHUNK_BYTES):
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise PackageRefused(f"{held.filename}: {name} has more than {most_bytes} bytes; {_MEND}")
            yield chunk
