"""Where log lines come from: the daemon's memory, else journald."""

import logging
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from edge.control.client import ask
from edge.control.protocol import AskLogs
from edge.errors import NoDaemon

UNIT = "canopy"
PRIORITIES = {"debug": "debug", "info": "info", "warning": "warning", "error": "err"}


def from_daemon(state_dir: Path, lines: int, level: str, *, follow: bool) -> Iterator[str]:
    """The lines, as they come.

    Raises:
        NoDaemon: none runs.
        ControlError: it cannot be asked.
    """
    question = AskLogs(lines=lines, level=int(getattr(logging, level.upper())), follow=follow)
    for body in ask(state_dir, question, within_s=None if follow else 30.0):
        yield body["text"]


def from_journal(lines: int, level: str, *, follow: bool, why: str) -> None:
    """Let journalctl show the unit's lines.

    Raises:
        NoDaemon: there is no journald here either.
    """
    journalctl = shutil.which("journalctl")
    if journalctl is None:
        raise NoDaemon(f"{why}; there is no journald here that would keep older lines")
    command = [
        journalctl,
        "--no-pager",
        "-u",
        UNIT,
        "-n",
        str(lines),
        "-p",
        PRIORITIES[level],
        *(["-f"] if follow else []),
    ]
    done = subprocess.run(command, check=False)  # noqa: S603 - a fixed command; its words are ours
    if done.returncode:
        raise NoDaemon(f"{why}; journalctl ended with {done.returncode}: join the group systemd-journal, or use sudo")
