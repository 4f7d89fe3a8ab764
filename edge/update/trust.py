"""The Update Framework's client, with a cache that survives a power cut and a moment that is not the clock's alone.

All that is judged here, python-tuf judges; this only says where, when, and how to write.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Root, TargetFile, Targets
from tuf.ngclient import Updater, UpdaterConfig

from edge.contract.repository import ISSUED
from edge.disk import write_whole
from edge.update.fetch import Source, digest_in_name

CONFIG: Final = UpdaterConfig(max_root_rotations=256, max_delegations=32, root_max_length=512_000)


class TrustedRepository(Updater):
    """One look at a repository: metadata is loaded once, then targets are found in it.

    Args:
        folder: the cache of metadata, with the names that the framework gives; a file system with symbolic links.
        source: where the repository is.
        bootstrap: the root that the device was given, which every other root must descend from.
        at: the moment by which expiry is judged.

    Raises:
        tuf.api.exceptions.RepositoryError: ``bootstrap`` is no root that signs itself.
        OSError: the cache cannot be written.
    """

    def __init__(self, folder: Path, source: Source, *, bootstrap: bytes, at: datetime) -> None:
        super().__init__(str(folder), source.metadata_url, fetcher=source.fetcher, config=CONFIG, bootstrap=bootstrap)
        self._trusted_set.reference_time = at
        self._targets_url = source.targets_url

    def issued_at(self) -> datetime | None:
        """When the timestamp in force was signed, if it says so.

        Raises:
            tuf.api.exceptions.RepositoryError: what it says is no moment.
        """
        said = self._trusted_set.timestamp.unrecognized_fields.get(ISSUED)
        if said is None:
            return None
        try:
            moment = datetime.fromisoformat(said)
        except (TypeError, ValueError) as error:
            raise RepositoryError(f"the timestamp's {ISSUED} is {said!r:.60}") from error
        if moment.tzinfo is None:
            raise RepositoryError(f"the timestamp's {ISSUED} is {said!r:.60}, without an offset")
        return moment

    def role(self, name: str) -> tuple[Targets, tuple[str, ...]]:
        """What a role that the top-level targets delegate to has signed, and the ids of the keys that may sign it.

        Raises:
            tuf.api.exceptions.RepositoryError: there is none, or it is not to be trusted.
        """
        top = self._load_targets(Targets.type, Root.type)
        roles = top.delegations.roles if top.delegations and top.delegations.roles else {}
        if name not in roles:
            raise RepositoryError(f"nobody may sign for {name}, only for {', '.join(sorted(roles)) or 'nothing'}")
        return self._load_targets(name, Targets.type), tuple(roles[name].keyids)

    @property
    def timestamp_expires(self) -> datetime:
        """Until when it may be said that nothing is newer."""
        return self._trusted_set.timestamp.expires

    def url_of(self, target: TargetFile) -> str:
        """Where the content of ``target`` is: with consistent snapshots, under a name that holds its digest."""
        path = target.path
        if self._trusted_set.root.consistent_snapshot:
            folder, slash, name = path.rpartition("/")
            path = f"{folder}{slash}{digest_in_name(target)}.{name}"
        return f"{self._targets_url}{path}"

    def _persist_file(self, filename: str, data: bytes) -> None:
        """Write to the disk before the name says so: a cache that a power cut empties forgets what it has seen.

        The root that the device was given is written each time; an equal file is left alone, for the flash's sake.
        """
        path = Path(filename)
        if not path.is_file() or path.read_bytes() != data:
            write_whole(path, data)
