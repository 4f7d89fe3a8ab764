"""What a technician asks of a running daemon: one file that the command writes and the daemon takes; and the hold.

So there is one writer of the slots, always: the daemon, or, while none runs, whoever holds its lock.
"""

import logging
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from edge.clock import utc_now
from edge.contract.control import Version
from edge.contract.message import Instant, Text, Wire
from edge.disk import write_whole
from edge.errors import UpdateError
from edge.update.slotstore import FOLDER

REQUEST_FILE = "request.json"
REFUSAL_FILE = "refusal.txt"
HOLD_FILE = "hold"
MAX_BYTES = 10_000

log = logging.getLogger(__name__)


class Request(Wire):
    """One wish. ``version`` is for ``activate`` (empty: the factory's), ``source`` a folder for ``update``."""

    what: Literal["activate", "roll_back", "update"]
    version: Version | None = None
    source: Text = ""
    at: Instant = Field(default_factory=utc_now)


def ask(state_dir: Path, request: Request) -> None:
    """Leave a wish for the daemon; one that it has not yet taken is replaced.

    Raises:
        UpdateError: it cannot be written.
    """
    folder = state_dir / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REFUSAL_FILE).unlink(missing_ok=True)
        write_whole(folder / REQUEST_FILE, request.model_dump_json().encode())
    except OSError as error:
        raise UpdateError(f"cannot write to {folder}: {error}; use the daemon's user, and see to the disk") from error


def take(state_dir: Path) -> Request | None:
    """The wish that waits, which is gone then: a wish is granted once, or, in a power cut, not at all."""
    path = state_dir / FOLDER / REQUEST_FILE
    taken = path.with_suffix(".taken")
    try:
        path.replace(taken)
        with taken.open("rb") as file:
            content = file.read(MAX_BYTES)
        taken.unlink()
        return Request.model_validate_json(content)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s cannot be read and is dropped: %s", path, error)
        return None


def pending(state_dir: Path) -> bool:
    """Whether a wish waits for the daemon."""
    return (state_dir / FOLDER / REQUEST_FILE).exists()


def refuse(state_dir: Path, reason: str) -> None:
    """Leave word why the last wish cannot be granted; the next wish takes it away."""
    path = state_dir / FOLDER / REFUSAL_FILE
    try:
        write_whole(path, reason.encode())
    except OSError as error:
        log.warning("cannot write %s: %s", path, error)


def refusal(state_dir: Path) -> str:
    """Why the last wish could not be granted; empty if it could, or is not yet looked at."""
    try:
        with (state_dir / FOLDER / REFUSAL_FILE).open("rb") as file:
            return file.read(MAX_BYTES).decode(errors="replace")
    except OSError:
        return ""


def hold(state_dir: Path, *, held: bool) -> None:
    """Let no update begin and none be switched to, from now on or no more.

    Raises:
        UpdateError: it cannot be written.
    """
    path = state_dir / FOLDER / HOLD_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if held:
            write_whole(path, b"")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UpdateError(f"cannot change {path}: {error}; use the daemon's user, and see to the disk") from error


def is_held(state_dir: Path) -> bool:
    """Whether a technician holds updates."""
    return (state_dir / FOLDER / HOLD_FILE).exists()
