"""An update repository that the real commands made, and one trusted view of it for many clients of a process."""

import threading
from pathlib import Path

from typer.testing import CliRunner

from edge.contract.control import ModelRef
from edge.errors import UpdateUnreachable
from edge.update.client import UpdateClient
from edge.update.fetch import Source
from edge.update.http import HttpFetcher
from fleet.cli import app


def command(*words: object) -> str:
    """``canopy-fleet``, in this process."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def build_repository(folder: Path, packages: list[Path], hardware: list[str]) -> Path:
    """A repository in ``folder / "updates"`` that offers every package to every hardware; its keys lie beside it."""
    path, keys = folder / "updates", folder / "keys"
    command("repo", "init", "--repo", path, "--make-keys", keys, "--no-passphrase")
    for name in hardware:
        command("repo", "key", keys / name, "--no-passphrase")
        signed = [word for key in sorted(keys.iterdir()) if key.suffix != ".pub" for word in ("--key", key)]
        command("repo", "add-key", name, keys / name, "--repo", path, *signed)
        for package in packages:
            command("repo", "publish", package, "--hardware", name, "--repo", path)
    return path


class Depot:
    """The device's real update client, shared: what one has verified, all have."""

    def __init__(self, folder: Path, url: str, bootstrap: bytes) -> None:
        self._client = UpdateClient(folder / "metadata", Source.at(url, HttpFetcher()), bootstrap=bootstrap)
        self._folder = folder
        self._lock = threading.Lock()
        self.fetched = 0

    def fetch(self, target: str, model: ModelRef) -> bool:
        """Have the package, whole and as it was signed; False while the repository cannot be reached."""
        with self._lock:
            try:
                self._client.refresh()
                found = self._client.target(target)
                assert found.release.model == model, "the repository has another model under this name"
                self._client.download(found, self._folder / "packages")
            except UpdateUnreachable:
                return False
            self.fetched += 1
            return True
