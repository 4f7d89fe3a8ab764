"""Writes a revision from what ``fleet.schema`` says now: ``python -m fleet.migrations "what changes"``.

With ``--anew`` there is one revision again, the first: only as long as nothing has been released.
"""

import argparse
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command

from fleet.migrations import FOLDER, configuration, known
from fleet.store import Store


def main() -> None:
    """Compare with a database at the newest revision, and write down the difference."""
    parser = argparse.ArgumentParser(prog="python -m fleet.migrations", description=__doc__)
    parser.add_argument("message", help="what changes, as a sentence without a full stop")
    parser.add_argument("--anew", action="store_true", help="replace all revisions by one")
    asked = parser.parse_args()
    versions = FOLDER / "versions"
    if asked.anew:
        for path in versions.glob("[0-9]*.py"):
            path.unlink()
        known.cache_clear()
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'fleet.sqlite'}")
        with store.writing() as connection:
            number = f"{len(known()) + 1:04}"
            made: Any = command.revision(configuration(connection), asked.message, autogenerate=True, rev_id=number)
        store.close()
    path = Path(made.path)
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "### " not in line))
    if ruff := shutil.which("ruff"):
        for step in (["check", "--quiet", "--fix"], ["format", "--quiet"]):
            subprocess.run([ruff, *step, str(versions)], check=False)  # noqa: S603 - our own linter, our own folder
    print(path)  # noqa: T201 - a maintainer waits for it


if __name__ == "__main__":
    main()
