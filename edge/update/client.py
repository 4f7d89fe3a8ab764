"""What a device takes from the update repository, and from nowhere else: packages under signature, whole."""

import fcntl
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import TargetFile

from edge.clock import utc_now
from edge.contract.control import Release, numbers
from edge.contract.repository import target_path
from edge.errors import ConfigError, UpdateRefused, UpdateUnreachable
from edge.update.download import Download
from edge.update.fetch import Source
from edge.update.floor import TimeFloor
from edge.update.seam import errors_mapped
from edge.update.trust import TrustedRepository

_SHA256 = re.compile(r"[0-9a-f]{64}")

Report = Callable[[float], None]
"""Told from time to time how much of the whole is there, from 0 to 1; raising from it stops it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A package as the repository offers it, under signature.

    Attributes:
        file: its path, length and digests.
        release: which model it is, for which hardware, and the room that it takes beside the download.
    """

    file: TargetFile
    release: Release

    @property
    def path(self) -> str:
        """Its name in the repository, ``{hardware}/{name}-{version}.zip``."""
        return self.file.path

    @property
    def length_bytes(self) -> int:
        """Its length."""
        return self.file.length

    @property
    def sha256(self) -> str:
        """Its content's digest, ``sha256:…``."""
        return f"sha256:{self.file.hashes['sha256']}"


@dataclass(frozen=True, slots=True)
class Offers:
    """What the repository has for one hardware.

    Attributes:
        targets: the packages, by their paths.
        expires_at: until when that may be believed: what expires first of the role and the timestamp.
        signed_by: ids of the keys that may sign for this hardware.
    """

    targets: tuple[Target, ...]
    expires_at: datetime
    signed_by: tuple[str, ...]

    def newest(self, name: str) -> Target:
        """The highest version of one model.

        Raises:
            UpdateRefused: there is none.
        """
        versions = [target for target in self.targets if target.release.model.name == name]
        if not versions:
            others = ", ".join(sorted({target.release.model.name for target in self.targets})) or "none at all"
            raise UpdateRefused(f"the repository has no model {name} for this hardware, but {others}")
        return max(versions, key=lambda target: numbers(target.release.model.version))


class UpdateClient:
    """The device's side of the repository. One at a time for each ``folder``; it is not for several threads.

    Args:
        folder: the cache of metadata, and the time floor unless another is given; needs symbolic links.
        source: where the repository is now. Another source of the same repository may share the folder.
        bootstrap: the root metadata that the device was provisioned with: the anchor of all trust.
        floor: what the clock is held against.
        reserve_bytes: what a download leaves free for the device's own records.
        bytes_per_s: the speed that a download keeps below, for the sake of a thin line; 0 is no limit.
        clock: tells the time in UTC.
    """

    def __init__(
        self,
        folder: Path,
        source: Source,
        *,
        bootstrap: bytes,
        floor: TimeFloor | None = None,
        reserve_bytes: int = 64 * 2**20,
        bytes_per_s: float = 0.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._folder = folder
        self._source = source
        self._bootstrap = bootstrap
        self._floor = floor or TimeFloor(folder / "time-floor")
        self._reserve_bytes = reserve_bytes
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._seen: TrustedRepository | None = None

    def refresh(self) -> None:
        """Load the newest metadata that is to be trusted. Costs two small requests if nothing is new.

        Raises:
            UpdateRefused: it is not to be trusted, ``UpdateExpired`` if only for its age; what was trusted stays.
            UpdateUnreachable: no answer, or ``ClockBehind``: the clock is wrong.
            UpdateError: the folder cannot be written.
            ConfigError: the device was provisioned with something that is no root.
        """
        self._seen = None
        now = self._clock()
        with errors_mapped(f"looking for updates at {self._source.metadata_url}"), self._alone():
            seen = self._trusted(self._floor.judge(now))
            seen.refresh()
            issued_at = seen.issued_at()
            if issued_at is not None:
                self._floor.rise(issued_at, now)
        self._seen = seen

    def target(self, path: str) -> Target:
        """What the repository says of the package ``path``, which must be a release for the hardware in its name.

        Raises:
            UpdateRefused: the repository has no such package, or it is something else than its name says.
            UpdateUnreachable: no answer. All that ``refresh`` raises, if it was not called before.
        """
        file = self.find(path)
        try:
            release = Release.model_validate(file.custom)
        except ValidationError as error:
            raise UpdateRefused(f"{path} is signed, but not as a release: {error}; publish it anew") from error
        named = target_path(release.hardware, release.model.name, release.model.version)
        if path != named or not _SHA256.fullmatch(file.hashes.get("sha256", "")):
            raise UpdateRefused(f"{path} is signed as {named}: it is not taken for what it is not; publish it anew")
        return Target(file, release)

    def find(self, path: str) -> TargetFile:
        """What is signed of any file of the repository; ``refresh`` is called first if it was not.

        Raises:
            UpdateRefused: no role that may speak of it does, or one that would is not to be trusted.
            UpdateUnreachable: no answer.
        """
        if self._seen is None:
            self.refresh()
        assert self._seen is not None  # noqa: S101 - refresh sets it or raises
        with errors_mapped(f"looking for {path} at {self._source.metadata_url}"), self._alone():
            found = self._seen.get_targetinfo(path)
        if found is None:
            raise UpdateRefused(f"{path}: the repository has no such file; publish it, or name another")
        return found

    def offers(self, hardware: str) -> Offers:
        """Everything that is signed for ``hardware``; what is no release is left out.

        Raises:
            UpdateRefused: nobody may sign for it, or what is signed is not to be trusted.
            UpdateUnreachable: no answer.
        """
        if self._seen is None:
            self.refresh()
        assert self._seen is not None  # noqa: S101 - refresh sets it or raises
        with errors_mapped(f"looking for {hardware} at {self._source.metadata_url}"), self._alone():
            role, keys = self._seen.role(hardware)
            expires_at = min(role.expires, self._seen.timestamp_expires)
        targets = []
        for path in sorted(role.targets):
            with suppress(UpdateRefused):
                targets.append(self.target(path))
        return Offers(tuple(targets), expires_at, keys)

    def download(self, target: Target, into: Path, report: Report = lambda _: None) -> Path:
        """Have a package in the folder ``into``, whole and as it was signed. A download goes on where it stopped.

        Returns:
            The file.

        Raises:
            NoRoom: the disk cannot hold the rest of it, what is made of it, and the reserve.
            UpdateRefused: what came is not what was signed.
            UpdateUnreachable: it broke off; what came is kept for the next time.
        """
        return self.fetch(target.file, into, report, needs_bytes=target.release.needs_bytes)

    def fetch(self, file: TargetFile, into: Path, report: Report = lambda _: None, *, needs_bytes: int = 0) -> Path:
        """``download`` for any file that ``find`` found."""
        if self._seen is None:
            raise UpdateUnreachable(f"{file.path}: nothing is known of it since the last refresh failed; refresh first")
        download = Download(
            file, self._seen.url_of(file), into / quote(file.path, safe=""), self._source.fetcher, self._bytes_per_s
        )
        with errors_mapped(f"downloading {file.path}"), self._alone():
            into.mkdir(parents=True, exist_ok=True)
            return download.run(needs_bytes + self._reserve_bytes, report)

    def _trusted(self, at: datetime) -> TrustedRepository:
        try:
            return TrustedRepository(self._folder, self._source, bootstrap=self._bootstrap, at=at)
        except RepositoryError as error:
            raise ConfigError(
                f"what this device was given as its root cannot be one: {error}; copy metadata/1.root.json of the "
                "repository to it again, by a way that you trust"
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes to the cache meanwhile; the kernel lets go when the process ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UpdateUnreachable(f"another process updates in {self._folder}; wait for it") from None
            yield
