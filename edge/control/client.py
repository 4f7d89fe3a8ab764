"""Asks the daemon over its control socket."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.control.protocol import MAX_LINE_BYTES, SOCKET, Ask, Line, short_path
from edge.errors import ControlError, NoDaemon
from edge.lock import is_held

CONNECT_WITHIN_S = 5.0


def ask(state_dir: Path, question: Ask, *, within_s: float | None = 30.0) -> Iterator[dict[str, Any]]:
    """The bodies of the daemon's answer, as they come; ``within_s`` bounds the wait for each, None does not.

    Raises:
        NoDaemon: none runs there.
        ControlError: it cannot be asked, or says no.
    """
    with _connected(state_dir) as connection:
        connection.settimeout(within_s)
        try:
            with suppress(BrokenPipeError):  # a daemon that says no before it is asked has left its reason to be read
                connection.sendall(question.model_dump_json().encode() + b"\n")
            with connection.makefile("rb") as lines:
                while True:
                    line = _line(lines.readline(MAX_LINE_BYTES + 1))
                    if line.body:
                        yield line.body
                    if line.last:
                        return
        except TimeoutError as error:
            raise ControlError(f"the daemon has not answered for {within_s:g} s; see canopy status") from error
        except OSError as error:
            raise ControlError(f"the daemon is gone: {error}; see canopy status") from error


def ask_once(state_dir: Path, question: Ask, *, within_s: float = 30.0) -> dict[str, Any]:
    """The only body of an answer.

    Raises:
        NoDaemon: none runs there.
        ControlError: it cannot be asked, or says no.
    """
    return next(iter(ask(state_dir, question, within_s=within_s)), {})


def _connected(state_dir: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_WITHIN_S)
        with short_path(state_dir) as folder:
            connection.connect(f"{folder}/{SOCKET}")
    except OSError as error:
        connection.close()
        raise _no_connection(state_dir, error) from error
    return connection


def _no_connection(state_dir: Path, error: OSError) -> ControlError:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return ControlError(
            f"{state_dir / SOCKET} is not for this user; join the daemon's group (sudo usermod -aG canopy $USER, then "
            "log in again), or use sudo"
        )
    if error.errno in {errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR} and not is_held(state_dir):
        return NoDaemon(f"no daemon runs in {state_dir}; start it with: systemctl start canopy (or canopy run)")
    return ControlError(f"the daemon in {state_dir} cannot be asked: {error}; if it has just started, try again")


def _line(received: bytes) -> Line:
    if not received:
        raise ControlError("the daemon has ended in the middle of an answer; see canopy status")
    if not received.endswith(b"\n"):
        raise ControlError(f"the daemon's answer is longer than {MAX_LINE_BYTES} bytes, or cut off; try again")
    try:
        line = Line.model_validate_json(received)
    except ValidationError as error:
        raise ControlError(f"the daemon's answer cannot be read: {error}; restart it after an upgrade") from error
    if not line.ok:
        raise ControlError(line.reason)
    return line
