"""``canopy-tuf-client``: the device's update client behind the command line of the tuf-conformance suite.

https://github.com/theupdateframework/tuf-conformance/blob/main/CLIENT-CLI.md. Exit codes: 0 done, 1 anything else.
"""

import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import CanopyError, UpdateRefused
from edge.update.client import UpdateClient
from edge.update.fetch import Source
from edge.update.floor import TimeFloor
from edge.update.http import HttpFetcher

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

ANY_TIME = datetime(1970, 1, 1, tzinfo=timezone.utc)
"""The suite plays years that lie before this release."""

_BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True)
class _Options:
    metadata_dir: Path
    metadata_url: str
    target_names: tuple[str, ...]
    target_dir: Path
    target_base_url: str

    def client(self) -> UpdateClient:
        source = Source(_folder_url(self.metadata_url), _folder_url(self.target_base_url), HttpFetcher())
        try:
            bootstrap = (self.metadata_dir / _BOOTSTRAP).read_bytes()
        except OSError as error:
            raise UpdateRefused(f"{self.metadata_dir} has no root to trust: {error}; call init first") from error
        floor = TimeFloor(self.metadata_dir / "time-floor", ANY_TIME)
        return UpdateClient(self.metadata_dir, source, bootstrap=bootstrap, floor=floor)


@app.callback()
def options(
    context: typer.Context,
    metadata_dir: Annotated[Path, typer.Option(help="Where trusted metadata is kept.")],
    metadata_url: Annotated[str, typer.Option(help="Where the repository's metadata is.")] = "",
    target_name: Annotated[list[str] | None, typer.Option(help="A file to download; may be repeated.")] = None,
    target_dir: Annotated[Path, typer.Option(help="Where to put it.")] = Path(),
    target_base_url: Annotated[str, typer.Option(help="Where the repository's files are.")] = "",
) -> None:
    """Do what the conformance suite of The Update Framework asks, with the device's own client."""
    context.obj = _Options(metadata_dir, metadata_url, tuple(target_name or ()), target_dir, target_base_url)


@app.command()
def init(context: typer.Context, trusted_root: Path) -> None:
    """Provision the device with a root. Asks nobody anything."""
    given: _Options = context.obj
    content = trusted_root.read_bytes()
    for name in (_BOOTSTRAP, "root.json"):
        (given.metadata_dir / name).write_bytes(content)


@app.command()
def refresh(context: typer.Context) -> None:
    """Load the newest metadata."""
    given: _Options = context.obj
    given.client().refresh()


@app.command()
def download(context: typer.Context) -> None:
    """Download files in the order given, and stop at the first that is refused."""
    given: _Options = context.obj
    client = given.client()
    for name in given.target_names:
        client.fetch(client.find(name), given.target_dir)


def main() -> None:
    """Run a command; whatever goes wrong, the suite knows one exit code for it."""
    try:
        app()
    except (CanopyError, OSError) as error:
        sys.stderr.write(f"canopy-tuf-client: {error}\n")
        sys.exit(1)
    except SystemExit as end:
        sys.exit(1 if end.code else 0)


def _folder_url(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"


if __name__ == "__main__":
    main()
