"""The rehearsal: python-tuf's own client takes what is about to be published, before anybody else can see it."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.api.exceptions import RepositoryError as MetadataError
from tuf.ngclient import FetcherInterface, Updater

from fleet.errors import RepositoryError

_BASE = "rehearsal:"


class _Stage(FetcherInterface):
    """What would be served: the folder as it is, with the new files laid over it."""

    def __init__(self, metadata: Path, fresh: Mapping[str, bytes]) -> None:
        self._metadata = metadata
        self._fresh = fresh

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = unquote(url.rpartition("/")[2])
        if name in self._fresh:
            return iter((self._fresh[name],))
        try:
            return iter(((self._metadata / name).read_bytes(),))
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"{name} is not there", 404) from error


def rehearse(metadata: Path, fresh: Mapping[str, bytes], roles: Iterable[str]) -> None:
    """Update a new device to what would be served.

    Args:
        metadata: the folder of metadata in force.
        fresh: the files that would be written there, by name.
        roles: the hardware whose roles have to be good.

    Raises:
        RepositoryError: the device would refuse it.
    """
    stage = _Stage(metadata, fresh)
    try:
        bootstrap = stage.download_bytes(f"{_BASE}/1.root.json", 10**6)
        with tempfile.TemporaryDirectory(prefix="canopy-rehearsal-") as cache:
            device = Updater(cache, _BASE, fetcher=stage, bootstrap=bootstrap)
            device.refresh()
            for role in roles:
                device.get_targetinfo(f"{role}/rehearsal")
    except (MetadataError, DownloadError) as error:
        raise RepositoryError(
            f"a device would refuse this, so nothing was published: {error or type(error).__name__}; "
            "see canopy-fleet repo status"
        ) from error
