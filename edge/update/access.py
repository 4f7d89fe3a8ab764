"""How this device reaches its update repository: over HTTP, or in a folder that somebody brought."""

import logging
from pathlib import Path

from edge.contract.control import Wanted
from edge.errors import ConfigError, UpdateError
from edge.settings import IDENTITY, UpdateSettings
from edge.update.client import UpdateClient
from edge.update.fetch import Source

CACHE = "update"
"""The folder of trusted metadata in the state directory, whatever the source."""

MAX_ROOT_BYTES = 512_000


def open_client(settings: UpdateSettings, state_dir: Path, folder: str = "") -> UpdateClient:
    """The client of the repository in ``folder``, or of the configured one.

    Raises:
        ConfigError: the root metadata that the configuration names cannot be read.
        UpdateError: there is no repository to ask.
    """
    logging.getLogger("tuf").setLevel(logging.WARNING)  # it tells of every key that has not signed, though enough have
    return UpdateClient(
        state_dir / CACHE,
        _source(settings, folder, state_dir / IDENTITY / "ca.pem"),
        bootstrap=_bootstrap(settings.root),
        reserve_bytes=settings.reserve_bytes,
        bytes_per_s=settings.bytes_per_s,
    )


def wanted_newest(client: UpdateClient, hardware: str, name: str) -> Wanted:
    """The newest version of a model as if a fleet wanted it; whoever asks by hand means it, also a second time.

    Raises:
        UpdateError: there is none that can be trusted.
    """
    target = client.offers(hardware).newest(name)
    return Wanted(model=target.release.model, target=target.path, retry=True)


def _source(settings: UpdateSettings, folder: str, fleets_ca: Path) -> Source:
    if folder:
        return Source.in_folder(Path(folder))
    if settings.url is None:
        raise UpdateError("update.url is not set: set it, or bring updates with canopy update import FOLDER")
    from edge.update.http import HttpFetcher  # noqa: PLC0415 - urllib3 is not needed for a folder

    return Source.at(settings.url, HttpFetcher(ca_file=fleets_ca if fleets_ca.exists() else None))


def _bootstrap(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read update.root {path}: {error}; copy the fleet's root metadata there") from error
    if len(content) > MAX_ROOT_BYTES:
        raise ConfigError(f"update.root {path} has more than {MAX_ROOT_BYTES} bytes; that is no root metadata")
    return content
