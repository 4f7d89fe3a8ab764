"""The fleet's commands: heard by the publisher, carried out in a thread of their own, answered once.

The publisher hands a payload over and takes answers when there are some; neither waits. A command that was heard before
is answered as before, as long as the answer is remembered.
"""

import logging
import queue
import threading
from base64 import b64encode
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from edge.clock import utc_now
from edge.contract.commands import Command, Response
from edge.contract.topics import CMD, RSP, decode
from edge.errors import CanopyError

MAX_WAITING = 8
MAX_REMEMBERED = 64
MAX_REMEMBERED_BYTES = 1_200_000
"""Two pictures, or many answers without one."""

MAX_REASON_CHARS = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command: a body with its type."""

    media_type: str
    content: bytes


class Commands:
    """Hears commands and gives answers. ``hear`` and ``take`` are the publisher's, and return at once.

    Args:
        carry_out: does what a command asks, in the worker's thread.
    """

    def __init__(self, carry_out: Callable[[Command], Done]) -> None:
        self._carry_out = carry_out
        self._waiting: queue.Queue[Command | None] = queue.Queue(MAX_WAITING)
        self._ready: deque[bytes] = deque(maxlen=2 * MAX_WAITING)
        self._answers: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._stopping = False
        self._worker: threading.Thread | None = None

    def hear(self, payload: bytes) -> None:
        """Take in a command. One that cannot be read has no id to answer to, and is logged."""
        try:
            command = cast("Command", decode(CMD, payload))
        except ValueError as error:
            log.error("a command cannot be read and is ignored: %s", error)  # noqa: TRY400
            return
        if (known := self._known(command.id)) is not None:
            if known:
                self._ready.append(known)
            return
        try:
            self._waiting.put_nowait(command)
        except queue.Full:
            reason = f"{MAX_WAITING} commands wait already; ask again later"
            self._ready.append(_response(command, reason=reason).encode())
            return
        with self._lock:
            self._answers[command.id] = b""  # under way: heard again, it is answered once
        self._start_worker()

    def take(self) -> bytes | None:
        """An answer to publish."""
        try:
            return self._ready.popleft()
        except IndexError:
            return None

    def stop(self) -> None:
        """Carry out nothing more. What is under way is seen to its end, and nobody hears of it."""
        self._stopping = True
        with suppress(queue.Full):
            self._waiting.put_nowait(None)

    def _known(self, identity: str) -> bytes | None:
        with self._lock:
            return self._answers.get(identity)

    def _start_worker(self) -> None:
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="commands", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while (command := self._waiting.get()) is not None and not self._stopping:
            answer = self._answer(command).encode()
            if len(answer) > RSP.max_bytes:
                answer = _response(command, reason=f"the answer has {len(answer)} bytes, which is too much").encode()
            self._remember(command.id, answer)
            self._ready.append(answer)

    def _answer(self, command: Command) -> Response:
        now = utc_now()
        if now > command.expires_at:
            reason = f"it expired at {command.expires_at:%Y-%m-%d %H:%M:%S} UTC, and here it is {now:%Y-%m-%d %H:%M:%S}"
            return _response(command, reason=f"{reason}; ask again, or see to the device's clock")
        try:
            return _response(command, done=self._carry_out(command))
        except CanopyError as error:
            return _response(command, reason=str(error))
        except Exception as error:  # whatever it is, the next command must be heard
            log.exception("the command %s", command.kind)
            return _response(command, reason=f"it failed with {error!r}; see the device's log")

    def _remember(self, identity: str, answer: bytes) -> None:
        with self._lock:
            self._answers[identity] = answer
            self._answers.move_to_end(identity)
            while len(self._answers) > 1 and (
                len(self._answers) > MAX_REMEMBERED or sum(map(len, self._answers.values())) > MAX_REMEMBERED_BYTES
            ):
                self._answers.popitem(last=False)


def _response(command: Command, *, done: Done | None = None, reason: str = "") -> Response:
    return Response(
        id=command.id,
        kind=command.kind,
        at=utc_now(),
        ok=done is not None,
        reason=reason[:MAX_REASON_CHARS],
        camera=command.camera,
        media_type=done.media_type if done else "",
        body=b64encode(done.content).decode() if done else "",
    )
