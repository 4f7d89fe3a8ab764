"""A model package as one file: a zip that is the same bytes wherever it was made, and is taken apart with suspicion."""

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edge.contract.manifest import MANIFEST_FILE, Manifest
from edge.errors import PackageInvalid
from edge.package import MAX_MANIFEST_BYTES, MEND, ModelPackage

MAX_FILES: Final = 256
MAX_BYTES: Final = 512 * 2**20
"""More than any package has, less than would fill a device."""

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold: when a package was packed is no part of it."""

_CHUNK_BYTES = 2**20


def pack(package: ModelPackage, out: Path) -> None:
    """Write a package as a zip, whole or not at all.

    Stored and not deflated: weights hardly shrink, and deflated bytes differ between releases of zlib.
    """
    partial = out.with_name(f".{out.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name in (MANIFEST_FILE, *sorted(package.manifest.files)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            with (package.path / name).open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target, _CHUNK_BYTES)
    partial.replace(out)


def unpack(archive: Path, folder: Path) -> ModelPackage:
    """Take a zip apart and verify what it holds; ``folder`` appears, or is replaced, only when all of it is good.

    What is read is bounded by the manifest: its own size first, then for each file the length that it vouches for.

    Raises:
        PackageInvalid: it is no zip, holds other files than its manifest, or one of them is not as it should be.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _opened(archive) as held:
            _write(held, partial)
        _flush(partial)
        opened = ModelPackage.open(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return replace(opened, path=folder)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """A zip whose errors are ours."""
    try:
        with zipfile.ZipFile(archive) as held:
            yield held
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise PackageInvalid(f"{archive} cannot be taken apart: {error}; {MEND}") from error


def _write(held: zipfile.ZipFile, folder: Path) -> None:
    entries = held.infolist()
    names = {entry.filename for entry in entries}
    if len(entries) > MAX_FILES or len(names) < len(entries):
        raise PackageInvalid(f"{held.filename} holds {len(entries)} entries, some twice or too many; {MEND}")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise PackageInvalid(f"{held.filename} is compressed, packages are not; pack it with canopy-export pack")
    if MANIFEST_FILE not in names:
        raise PackageInvalid(f"{held.filename} holds no {MANIFEST_FILE}: it is no model package")
    content = b"".join(_chunks(held, MANIFEST_FILE, MAX_MANIFEST_BYTES))
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise PackageInvalid(f"{held.filename}: its {MANIFEST_FILE} cannot be used: {error}; {MEND}") from error
    if names != {MANIFEST_FILE, *manifest.files}:
        odd = min(names ^ {MANIFEST_FILE, *manifest.files})
        raise PackageInvalid(f"{held.filename} and its manifest differ over {odd!r:.80}; {MEND}")
    if sum(entry.length_bytes for entry in manifest.files.values()) > MAX_BYTES:
        raise PackageInvalid(f"{held.filename} holds more than {MAX_BYTES >> 20} MiB; no package does")
    ModelPackage.check_names(folder, manifest)
    folder.mkdir(parents=True)
    (folder / MANIFEST_FILE).write_bytes(content)
    for name, file in manifest.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("wb") as target:
            for chunk in _chunks(held, name, file.length_bytes):
                target.write(chunk)


def _chunks(held: zipfile.ZipFile, name: str, most_bytes: int) -> Iterator[bytes]:
    """A file of the zip, a piece at a time: a device has less memory than a package may have bytes."""
    left_bytes = most_bytes
    with held.open(name) as source:
        while chunk := source.read(_CHUNK_BYTES):
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise PackageInvalid(f"{held.filename}: {name} has more than {most_bytes} bytes; {MEND}")
            yield chunk


def _flush(folder: Path) -> None:
    """Reach the disk before the name does, so that no power cut leaves half a package under it."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
