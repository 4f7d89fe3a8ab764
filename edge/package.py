"""A model package on disk: a folder whose manifest vouches for every file in it."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edge.contract.control import ModelRef
from edge.contract.manifest import MANIFEST_FILE, FileEntry, Manifest, Precision
from edge.contract.message import SCHEMA
from edge.contract.traits import VOCABULARY, expanded
from edge.errors import PackageInvalid

MAX_MANIFEST_BYTES = 1_000_000
MEND = "copy the whole package again"

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*){0,3}")
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A package whose files are all there and unaltered.

    Attributes:
        path: its folder.
        manifest: what it holds.
        digest: names the package: the SHA-256 of its manifest, which holds those of all files.
    """

    path: Path
    manifest: Manifest
    digest: str

    @classmethod
    def open(cls, path: Path) -> "ModelPackage":
        """Read and verify the package in the folder ``path``.

        Raises:
            PackageInvalid: a file is missing, altered or outside, or the manifest cannot be used.
        """
        content = _read_manifest(path / MANIFEST_FILE)
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError as error:
            raise PackageInvalid(f"{path / MANIFEST_FILE} is not a manifest: {error}; {MEND}") from error
        if manifest.schema_version > SCHEMA:
            raise PackageInvalid(
                f"{path / MANIFEST_FILE} has schema {manifest.schema_version}, this release reads {SCHEMA}; "
                "upgrade canopy-edge"
            )
        _check_traits(path, manifest)
        cls.check_names(path, manifest)
        for name, entry in manifest.files.items():
            _check_file(path, name, entry)
        return cls(path, manifest, _digest_of(content))

    @property
    def ref(self) -> ModelRef:
        """Its name on the wire."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version, digest=self.digest)

    @staticmethod
    def check_names(path: Path, manifest: Manifest) -> None:
        """See that every file of a manifest lies in the folder ``path``.

        Raises:
            PackageInvalid: one would not.
        """
        for name in manifest.files:
            if not _FILE_NAME.fullmatch(name):
                raise PackageInvalid(f"{path} lists a file named {name!r:.80}, which may lie outside of it; {MEND}")

    def model(self, precision: Precision) -> Path:
        """The ONNX file of ``precision``.

        Raises:
            PackageInvalid: the package has none.
        """
        name = self.manifest.models.get(precision)
        if name is None:
            has = ", ".join(sorted(self.manifest.models)) or "none"
            raise PackageInvalid(f"{self.path} has no {precision} model, it has {has}; change inference.precision")
        return self.path / name


def peek(path: Path) -> ModelRef | None:
    """What the package in ``path`` calls itself; None if that cannot be told. Its files are not looked at."""
    try:
        content = _read_manifest(path / MANIFEST_FILE)
        manifest = Manifest.model_validate_json(content)
    except (PackageInvalid, ValidationError):
        return None
    return ModelRef(name=manifest.name, version=manifest.version, digest=_digest_of(content))


def _digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _read_manifest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise PackageInvalid(f"cannot read {path}: {error}; set inference.package to a model package") from error
    if len(content) > MAX_MANIFEST_BYTES:
        raise PackageInvalid(f"{path} has more than {MAX_MANIFEST_BYTES} bytes; that is no manifest: {MEND}")
    return content


def _check_traits(path: Path, manifest: Manifest) -> None:
    named = {*expanded(manifest.traits), *(thing.count_trait for thing in manifest.things)}
    unknown = sorted(named - set(VOCABULARY))
    if unknown:
        raise PackageInvalid(f"{path} measures {unknown}, which this release does not know; upgrade canopy-edge")


def _check_file(folder: Path, name: str, entry: FileEntry) -> None:
    path = folder / name
    try:
        if not path.resolve(strict=True).is_relative_to(folder.resolve(strict=True)):
            raise PackageInvalid(f"{path} is a link out of the package; {MEND}")
        length_bytes = path.stat().st_size
        if length_bytes != entry.length_bytes:
            raise PackageInvalid(f"{path} has {length_bytes} bytes, not {entry.length_bytes}; {MEND}")
        digest = _digest(path)
    except (OSError, RuntimeError) as error:
        raise PackageInvalid(f"cannot read {path}: {error}; {MEND}") from error
    if digest != entry.sha256:
        raise PackageInvalid(f"{path} was altered: it has {digest}, not {entry.sha256}; {MEND}")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
