"""The folder of a repository: what lies where, read whole and written whole."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tuf.api.exceptions import RepositoryError as MetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from edge.contract.repository import METADATA, TARGETS
from fleet.errors import RepositoryError

AnyMetadata: TypeAlias = Metadata[Root] | Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp]
Days = Annotated[int, Field(ge=1, le=3650)]

BEGIN: Final = "make one with: canopy-fleet repo init"
NO_PENDING: Final = (
    "does not belong there: move it away; a signed copy comes in by: canopy-fleet repo sign --merge FILE"
)
TOP_LEVEL: Final = (Root.type, Targets.type, Snapshot.type, Timestamp.type)
OFFLINE: Final = (Root.type, Targets.type)
ONLINE: Final = (Snapshot.type, Timestamp.type)


class Policy(BaseModel):
    """How long a signature of each role holds, in days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Days = 365
    targets: Days = 90
    hardware: Days = 60
    snapshot: Days = 7
    timestamp: Days = 2

    def days(self, role: str) -> int:
        """For ``role``; every role that is none of the four is a hardware's."""
        return int(getattr(self, role if role in TOP_LEVEL else "hardware"))


class KeptKey(BaseModel):
    """Where the private half of a key at hand is. ``revoked``: it signs nothing that comes after the pending change."""

    model_config = ConfigDict(extra="forbid")

    reference: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class RepositoryFolder:
    """Reads and writes; decides nothing.

    Attributes:
        path: the whole of it. ``public`` alone is served.
    """

    path: Path

    @property
    def public(self) -> Path:
        """What devices see: ``metadata/`` and ``targets/``."""
        return self.path / "public"

    @property
    def metadata(self) -> Path:
        """The folder of metadata in force."""
        return self.public / METADATA

    @property
    def targets(self) -> Path:
        """The folder of packages."""
        return self.public / TARGETS

    @property
    def pending(self) -> Path:
        """The folder of a change that waits for signatures; devices never see it."""
        return self.path / "pending"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the repository meanwhile.

        Raises:
            RepositoryError: somebody does, or there is none.
        """
        if not self.path.is_dir():
            raise RepositoryError(f"{self.path} is no repository; {BEGIN} --repo {self.path}")
        with (self.path / "lock").open("w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RepositoryError(f"another command changes {self.path} just now; wait for it") from None
            yield

    def root(self) -> Metadata[Root] | None:
        """The root in force, the one with the highest version."""
        newest = max((_root_version(path.name) for path in self.metadata.glob("*.root.json")), default=0)
        return cast("Metadata[Root]", self._load(f"{newest}.root.json")) if newest else None

    def timestamp(self) -> Metadata[Timestamp] | None:
        """The timestamp in force."""
        if not (self.metadata / "timestamp.json").exists():
            return None
        return cast("Metadata[Timestamp]", self._load("timestamp.json"))

    def snapshot(self) -> Metadata[Snapshot] | None:
        """The snapshot that the timestamp points to."""
        timestamp = self.timestamp()
        if timestamp is None:
            return None
        return cast("Metadata[Snapshot]", self._load(f"{timestamp.signed.snapshot_meta.version}.snapshot.json"))

    def delegated(self, role: str) -> Metadata[Targets] | None:
        """The targets role, or a hardware's, that the snapshot points to."""
        snapshot = self.snapshot()
        meta = None if snapshot is None else snapshot.signed.meta.get(f"{role}.json")
        return None if meta is None else cast("Metadata[Targets]", self._load(f"{meta.version}.{role}.json"))

    def in_force(self, role: str) -> AnyMetadata | None:
        """The metadata of any role that devices see."""
        if role == Root.type:
            return self.root()
        if role in ONLINE:
            return self.snapshot() if role == Snapshot.type else self.timestamp()
        return self.delegated(role)

    def waiting(self) -> dict[str, AnyMetadata]:
        """The pending change, by role."""
        found: dict[str, AnyMetadata] = {}
        for path in sorted(self.pending.glob("*.json")):
            version, _, role = path.name.removesuffix(".json").partition(".")
            metadata = read_metadata(path)
            if str(metadata.signed.version) != version or role in found:
                raise RepositoryError(f"{path} {NO_PENDING}")
            found[role] = metadata
        return found

    def wait(self, change: dict[str, AnyMetadata]) -> None:
        """Keep ``change`` as the pending one, in the place of any other; an empty one drops it."""
        kept = {f"{metadata.signed.version}.{role}.json": metadata for role, metadata in change.items()}
        for name, metadata in kept.items():
            write_whole(self.pending / name, encode(metadata))
        for path in self.pending.glob("*.json"):
            if path.name not in kept:
                path.unlink()

    def policy(self) -> Policy:
        """How long signatures hold."""
        try:
            return Policy.model_validate_json((self.path / "policy.json").read_bytes())
        except FileNotFoundError:
            raise RepositoryError(f"{self.path} is no repository; {BEGIN} --repo {self.path}") from None
        except (OSError, ValidationError) as error:
            raise RepositoryError(f"cannot use {self.path / 'policy.json'}: {error}; correct it") from error

    def keep_policy(self, policy: Policy) -> None:
        """Keep how long signatures hold."""
        write_whole(self.path / "policy.json", policy.model_dump_json(indent=2).encode())

    def kept_keys(self) -> dict[str, KeptKey]:
        """The keys at hand, by their digest."""
        path = self.path / "keys.json"
        try:
            return {keyid: KeptKey.model_validate(kept) for keyid, kept in json.loads(path.read_bytes()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as error:
            raise RepositoryError(f"cannot use {path}: {error}; correct it") from error

    def keep_keys(self, keys: dict[str, KeptKey]) -> None:
        """Keep where the keys at hand are."""
        content = {keyid: kept.model_dump() for keyid, kept in sorted(keys.items())}
        write_whole(self.path / "keys.json", json.dumps(content, indent=2).encode())

    def _load(self, name: str) -> AnyMetadata:
        try:
            return Metadata.from_bytes((self.metadata / name).read_bytes())
        except (OSError, MetadataError) as error:
            raise RepositoryError(
                f"the repository is damaged at {self.metadata / name}: {error}; bring the file back from a copy"
            ) from error


def read_metadata(path: Path) -> AnyMetadata:
    """Metadata of any role, from a file.

    Raises:
        RepositoryError: it is none.
    """
    try:
        return Metadata.from_bytes(path.read_bytes())
    except (OSError, MetadataError) as error:
        raise RepositoryError(f"{path} is no metadata of a repository: {error}; copy it again") from error


def encode(metadata: AnyMetadata) -> bytes:
    """The bytes that are published: indented, for people who compare versions."""
    return metadata.to_bytes(JSONSerializer(compact=False))


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` under ``path``; whoever reads finds the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.fresh")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    flush(path.parent)


def flush(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _root_version(name: str) -> int:
    """The version in ``7.root.json``; 0 for other names, as that of a hardware called ``orin.root``."""
    first = name.removesuffix(".root.json")
    return int(first) if first.isdecimal() else 0
