"""Carries the outbox to the fleet, in a thread of its own, over whatever connections the day offers.

One thread owns the connection and everything about it. It never raises: what goes wrong is logged once for each outage,
and tried again. The camera loop knows nothing of it.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol, cast

from edge.batches import batches
from edge.clock import read_clock
from edge.commands import Commands
from edge.contract.control import Desired, Reported
from edge.contract.messages import Ack, Health, Info, State
from edge.contract.topics import ACK, CMD, DESIRED, HEALTH, INFO, REPORTED, RSP, STATE, decode
from edge.delivery import Chunk, Delivery
from edge.errors import CanopyError
from edge.link import Link, LinkDown
from edge.outbox import Outbox
from edge.replay import Replay
from edge.settings import MqttSettings

IDLE_S = 0.1
MAX_IN_FLIGHT = 20
MAX_IN_VAIN = 3
"""Sent so often without an answer, what is broken may be the connection itself: a new one hears the watermark first."""
RETRY_MIN_S, RETRY_MAX_S = 1.0, 60.0
GOODBYE_S = 0.5

log = logging.getLogger(__name__)


class Updates(Protocol):
    """What the publisher needs to know of updates."""

    @property
    def reported(self) -> Reported:
        """What the fleet should know; another object when something has changed."""

    def hear(self, desired: Desired) -> None:
        """Take in what the fleet wants, from the publisher's thread, and return at once."""


def _state(online: bool) -> State:
    clock = read_clock()
    return State(online=online, boot_id=clock.boot_id, at=clock.at)


class Publisher:
    """Sends the outbox, state, info and health, and moves the outbox's watermark; carries orders in and reports out.

    Args:
        outbox: what to deliver.
        settings: the broker.
        site: the device's site.
        device: the device.
        info: what the device is, asked at each connection.
        health: how it does, asked every ``health_every_s``; called in the publisher's thread.
        updates: hears what is wanted and says what became of it.
        commands: hears commands and gives their answers.
        replay: what is to be sent again.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: MqttSettings,
        site: str,
        device: str,
        info: Callable[[], Info],
        health: Callable[[], Health],
        updates: Updates | None = None,
        commands: Commands | None = None,
        replay: Replay | None = None,
    ) -> None:
        self._outbox, self._settings, self._updates = outbox, settings, updates
        self._commands, self._replay = commands, replay
        self._site, self._device = site, device
        self._info, self._health = info, health
        self._stopping = threading.Event()
        self._connected = threading.Event()
        self._progress = threading.Condition()
        self._retry_s = RETRY_MIN_S
        self._patience_s = settings.resend_after_s
        self._outage: type[Exception] | None = None
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker is reached now."""
        return self._connected.is_set()

    def start(self) -> None:
        """Begin; the broker need not be there yet."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Say goodbye and end, within ``timeout_s``; what is not delivered waits in the outbox."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def wait_delivered(self, timeout_s: float) -> bool:
        """Wait until the fleet has everything; False if it has not after ``timeout_s``."""
        with self._progress:
            return self._progress.wait_for(self._all_delivered, timeout_s)

    def _all_delivered(self) -> bool:
        at = self._outbox.position
        return at.watermark >= at.last_seq

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._converse()
            except LinkDown as error:
                self._pause(error, self._retry_s)
                self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next connection must be tried
                self._pause(error, RETRY_MAX_S)
            finally:
                self._connected.clear()

    def _converse(self) -> None:
        """One connection, from its beginning until it is lost or the publisher stops."""
        link = Link(self._settings, self._site, self._device, will=_state(online=False))
        try:
            link.open()
            link.publish(STATE, _state(online=True).encode())
            link.publish(INFO, self._info().encode())
            self._note_connected()
            conversation = _Conversation(
                self._outbox,
                self._settings,
                link,
                self._info,
                self._health,
                self._updates,
                self._commands,
                self._replay,
                self._patience_s,
            )
            while not self._stopping.is_set():
                if conversation.turn():
                    with self._progress:
                        self._progress.notify_all()
                self._patience_s = conversation.patience_s
            link.publish(STATE, _state(online=False).encode())
            link.flush(GOODBYE_S)
        finally:
            link.close()

    def _note_connected(self) -> None:
        log.info("connected to %s:%d", self._settings.host, self._settings.port)
        self._connected.set()
        self._retry_s = RETRY_MIN_S
        self._outage = None

    def _pause(self, error: Exception, longest_s: float) -> None:
        """Tell once what is wrong, and wait: a random share of the time, so that devices do not return all at once."""
        known = self._outage is type(error)
        self._outage = type(error)
        level = logging.DEBUG if known else logging.WARNING if isinstance(error, LinkDown) else logging.ERROR
        log.log(level, "%s", error, exc_info=None if isinstance(error, CanopyError) else error)
        self._stopping.wait(random.uniform(longest_s / 2, longest_s))


class _Conversation:
    """What is said over one connection."""

    def __init__(
        self,
        outbox: Outbox,
        settings: MqttSettings,
        link: Link,
        info: Callable[[], Info],
        health: Callable[[], Health],
        updates: Updates | None,
        commands: Commands | None,
        replay: Replay | None,
        patience_s: float,
    ) -> None:
        self._outbox, self._settings, self._link = outbox, settings, link
        self._info, self._health, self._updates = info, health, updates
        self._commands, self._replay = commands, replay
        self._reported: Reported | None = None
        self._told: set[str] = set()
        self._told_less_since_s: float | None = None
        self._health_at_s = time.monotonic()
        self._begin_stream(patience_s)

    @property
    def patience_s(self) -> float:
        """How long the watermark may stand still before everything is sent again."""
        return self._delivery.patience_s

    def turn(self) -> bool:
        """Send at most one chunk, then listen; whether the watermark moved."""
        now_s = time.monotonic()
        if now_s >= self._health_at_s:
            self._health_at_s = now_s + self._settings.health_every_s
            self._publish_health()
        self._report_if_new()
        at = self._outbox.position
        if at.epoch != self._epoch:
            self._begin_stream()
        chunk = None
        if self._link.in_flight < MAX_IN_FLIGHT:
            chunk = self._delivery.next(at.watermark, at.last_seq, now_s)
            if self._delivery.in_vain >= MAX_IN_VAIN:
                raise LinkDown(
                    f"the fleet does not answer, though everything was sent {MAX_IN_VAIN} times; trying anew"
                )
        elif self._link.owes_s > self._settings.resend_after_s:
            raise LinkDown(f"the broker acknowledges nothing any more ({self._link.in_flight} messages); trying anew")
        if chunk:
            self._send(chunk, now_s)
        busy = any((chunk is not None, self._answer_command(), chunk is None and self._send_again()))
        heard = self._link.poll(0 if busy else IDLE_S)
        self._tell_once(self._link.refusal)
        moved = [self._advance(payload) for channel, payload in heard if channel is ACK]
        for channel, payload in heard:
            if channel is DESIRED:
                self._pass_on(payload)
            elif channel is CMD and self._commands is not None:
                self._commands.hear(payload)
        return any(moved)

    def _answer_command(self) -> bool:
        """Send an answer, also while a backlog drains: a command would expire meanwhile. Whether there was one."""
        if self._commands is None or self._link.in_flight >= MAX_IN_FLIGHT or (answer := self._commands.take()) is None:
            return False
        self._link.publish(RSP, answer)
        return True

    def _send_again(self) -> bool:
        """Where nothing new waits, some of what was asked for again; whether there was any."""
        if self._replay is None or self._link.in_flight >= MAX_IN_FLIGHT:
            return False
        rows = self._replay.next()
        for batch in batches(rows):
            self._link.publish(batch.channel, batch.payload, batch.camera)
        return bool(rows)

    def _report_if_new(self) -> None:
        """Say what became of what is wanted: at the beginning of a connection, and whenever something has changed."""
        reported = self._updates.reported if self._updates else None
        if reported is None or reported is self._reported:
            return
        self._link.publish(REPORTED, reported.encode())
        if self._reported and reported.active != self._reported.active:
            self._link.publish(INFO, self._info().encode())
        self._reported = reported

    def _pass_on(self, payload: bytes) -> None:
        try:
            desired = cast("Desired", decode(DESIRED, payload))
        except ValueError as error:
            self._tell_once(f"what is wanted cannot be read and is ignored: {error}")
            return
        if self._updates is None:
            self._tell_once("the fleet wants something of this device, which takes no updates: see update in its file")
        else:
            self._updates.hear(desired)

    def _publish_health(self) -> None:
        try:
            payload = self._health().encode()
        except Exception as error:  # noqa: BLE001 - results must go out even if the device cannot say how it does
            self._tell_once(f"the device's health cannot be told: {error!r}")
        else:
            self._link.publish(HEALTH, payload)

    def _begin_stream(self, patience_s: float | None = None) -> None:
        at = self._outbox.position
        self._epoch = at.epoch
        self._delivery = Delivery(self._settings, at.watermark, at.last_seq, time.monotonic(), patience_s)

    def _send(self, chunk: Chunk, now_s: float) -> None:
        rows = self._outbox.read(chunk.after, chunk.upto, chunk.limit)
        if rows and rows[0].epoch != self._epoch:
            return
        for batch in batches(rows):
            self._link.publish(batch.channel, batch.payload, batch.camera)
        self._delivery.sent(chunk, rows[-1].seq if rows else chunk.upto, now_s)

    def _advance(self, payload: bytes) -> bool:
        try:
            ack = cast("Ack", decode(ACK, payload))
        except ValueError as error:
            self._tell_once(f"a watermark is none and is ignored: {error}")
            return False
        at = self._outbox.position
        if ack.epoch == at.epoch and ack.seq > at.last_seq:
            self._tell_once(
                f"the fleet has {ack.seq} records of this device, which knows of {at.last_seq}: its database is an "
                "older copy; move it away so that a new one is begun, or new readings are taken for old ones"
            )
        if ack.epoch == at.epoch and ack.seq < at.watermark:
            self._hear_less(ack)
            return False
        self._told_less_since_s = None
        return self._outbox.advance(ack.epoch, ack.seq)

    def _hear_less(self, ack: Ack) -> None:
        """A fleet whose store was lost or restored has less than it had.

        It is believed if it keeps saying so while records are sent to it: a broker may repeat an old word, but not for
        long, since each new one replaces it.
        """
        now_s = time.monotonic()
        if self._told_less_since_s is None:
            self._told_less_since_s = now_s
        elif now_s - self._told_less_since_s >= self._settings.resend_after_s:
            log.warning("the fleet has lost what it had above %d: everything kept here is sent again", ack.seq)
            self._outbox.go_back(ack.epoch, ack.seq)
            self._told_less_since_s = None
            self._begin_stream()

    def _tell_once(self, what: str) -> None:
        if what and what not in self._told and len(self._told) < 10:
            self._told.add(what)
            log.error("%s", what)
