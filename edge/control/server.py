"""Serves the control socket: one thread that accepts, and one for each client, of which there are few.

No client can hold up the daemon: a request has a size and a time limit, a client that does not read is dropped, and
what an answer is made of is handed over by reference.
"""

import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.control.protocol import ASK, MAX_LINE_BYTES, MAX_REQUEST_BYTES, SOCKET, Ask, Line, short_path
from edge.errors import CanopyError

MAX_CLIENTS = 8
REQUEST_WITHIN_S = 5.0
READ_WITHIN_S = 5.0
MODE = 0o660

_CLOSED = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL

Body = dict[str, Any]
Answer = Callable[[Ask, Callable[[], bool]], Iterator[Body | None]]
"""Answers a request, a body for each line; ``None`` only lets the server see whether the client is still there. The
second argument tells whether it has gone, for answers that wait."""

log = logging.getLogger(__name__)


class ControlServer:
    """The socket in ``state_dir``; whoever makes it holds the lock there, so a socket that is left over is nobody's.

    Args:
        state_dir: the device's.
        answer: answers a request, in the client's thread.
    """

    def __init__(self, state_dir: Path, answer: Answer) -> None:
        self._state_dir, self._answer = state_dir, answer
        self._stopping = threading.Event()
        self._clients = threading.Semaphore(MAX_CLIENTS)
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Begin to serve. A daemon that cannot be asked still measures: what is wrong is logged."""
        try:
            self._socket = self._bound()
        except OSError as error:
            log.warning("commands cannot ask this daemon: no socket in %s: %s", self._state_dir, error)
            return
        threading.Thread(target=self._accept, args=(self._socket,), name="control", daemon=True).start()

    def stop(self) -> None:
        """Serve no more. Answers under way end with their client's connection."""
        self._stopping.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            with suppress(OSError):
                (self._state_dir / SOCKET).unlink()

    def _bound(self) -> socket.socket:
        """Bound under another name and renamed: it is never there with other rights than it shall have."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_path(self._state_dir) as folder:
                fresh = f"{folder}/.{SOCKET}.new"
                with suppress(FileNotFoundError):
                    os.unlink(fresh)  # noqa: PTH108 - a path through a descriptor
                made.bind(fresh)
                os.chmod(fresh, MODE)  # noqa: PTH101
                os.replace(fresh, f"{folder}/{SOCKET}")  # noqa: PTH105
            made.listen(MAX_CLIENTS)
        except OSError:
            made.close()
            raise
        return made

    def _accept(self, listening: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = listening.accept()
            except OSError:
                if not self._stopping.wait(1.0):  # out of descriptors, perhaps; a later one may be served
                    continue
                return
            if self._clients.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(client,), name="control-client", daemon=True).start()
            else:
                _send(client, Line(ok=False, last=True, reason=f"{MAX_CLIENTS} commands ask already; end one of them"))
                client.close()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                self._converse(client)
        except OSError as error:
            log.debug("a client of the control socket is gone: %s", error)
        finally:
            self._clients.release()

    def _converse(self, client: socket.socket) -> None:
        try:
            ask = ASK.validate_json(_request(client))
        except (ValueError, ValidationError) as error:
            _send(client, Line(ok=False, last=True, reason=f"not a request: {error}"[:2_000]))
            return

        def over() -> bool:
            return self._stopping.is_set() or _gone(client)

        try:
            for body in self._answer(ask, over):
                if over():
                    return
                if body is not None:
                    _send(client, Line(body=body))
        except CanopyError as error:
            _send(client, Line(ok=False, last=True, reason=str(error)))
        except OSError:
            raise
        except Exception as error:
            log.exception("the control socket's %s", ask.ask)
            _send(client, Line(ok=False, last=True, reason=f"the daemon could not answer: {error!r}; see its log"))
        else:
            _send(client, Line(last=True))


def _request(client: socket.socket) -> bytes:
    """The first line.

    Raises:
        ValueError: it does not end in time or in size.
    """
    client.settimeout(REQUEST_WITHIN_S)
    received = b""
    while b"\n" not in received:
        try:
            part = client.recv(4_096)
        except TimeoutError as error:
            raise ValueError(f"no whole line within {REQUEST_WITHIN_S:.0f} s") from error
        received += part
        if not part or len(received) > MAX_REQUEST_BYTES:
            raise ValueError(f"no line of at most {MAX_REQUEST_BYTES} bytes")
    return received.partition(b"\n")[0]


def _send(client: socket.socket, line: Line) -> None:
    encoded = line.model_dump_json().encode() + b"\n"
    if len(encoded) > MAX_LINE_BYTES:
        encoded = (
            Line(ok=False, last=True, reason="the answer is too large for a line").model_dump_json().encode() + b"\n"
        )
    client.settimeout(READ_WITHIN_S)
    client.sendall(encoded)


def _gone(client: socket.socket) -> bool:
    """Whether the client has closed; what it may still say after its request is nobody's business."""
    watched = select.poll()
    try:
        watched.register(client, select.POLLIN | select.POLLRDHUP)
        return any(event & _CLOSED for _, event in watched.poll(0))
    except (OSError, ValueError):
        return True
