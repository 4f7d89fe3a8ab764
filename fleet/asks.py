"""Asks devices to do something once, and keeps what they answer.

What a person asks stands in the store with its answer, the newest of each device; what the service asks by itself,
pictures for the overview, is remembered until it expires and leaves nothing but the picture. An answer that nobody
asked for, or that is not what was asked for, is dropped.
"""

import base64
import logging
import queue
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, delete, select, update

from edge.contract import topics
from edge.contract.commands import Command, CommandKind, Response
from fleet import audit, schema
from fleet.drift import relearn
from fleet.errors import FleetError, NotFound, NotPossible
from fleet.live.feed import Feed
from fleet.pictures import keep
from fleet.settings import PictureSettings
from fleet.store import Store

log = logging.getLogger(__name__)

EXPIRES_AFTER_S = 30.0
KEPT_PER_DEVICE = 20
MAX_UNDER_WAY = 500
MAX_AT_ONCE = 4
_MAX_WAITING = 64
_TICK_S = 1.0

KINDS = frozenset({CommandKind.SNAPSHOT, CommandKind.LOGS, CommandKind.DIAGNOSTICS, CommandKind.FRAMES})
"""What people ask for on a page."""


@dataclass(frozen=True, slots=True)
class _Asked:
    device_id: int
    kind: CommandKind
    camera: str | None
    expires_at: datetime


class Asks:
    """The service's side of commands."""

    def __init__(self, store: Store, feed: Feed, settings: PictureSettings) -> None:
        self._store, self._feed, self._settings = store, feed, settings
        self._answers: queue.Queue[tuple[str, bytes]] = queue.Queue(_MAX_WAITING)
        self._unasked: dict[str, _Asked] = {}
        self._asked_at: dict[tuple[int, str], float] = {}
        self._said = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="asks", daemon=True)

    def start(self) -> None:
        """Hear answers, and ask for pictures if that is wished."""
        self._feed.listen([topics.subscription(topics.RSP)], self._hear)
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Finish what is being written."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def ask(
        self, site: str, device: str, kind: CommandKind, who: str, *, camera: str | None = None, lines: int = 200
    ) -> str:
        """Ask now; returns the name under which ``answer`` has what comes of it.

        Raises:
            NotFound: nobody heard of the device.
            NotPossible: it is offline, or the broker is away: a command waits for nobody.
        """
        now = datetime.now(timezone.utc)
        with self._store.writing() as connection:
            device_id = self._reachable(connection, site, device)
            command = _command(kind, now, camera, lines)
            _write_down(connection, device_id, command, who, now)
            audit.record(connection, who, f"device {kind.value}", f"{site}/{device}", camera=camera or "")
        if not self._feed.publish(topics.Address(site, device, topics.CMD), command.encode()):
            raise NotPossible(f"the broker is away, so {device} cannot be asked; try again when it is back")
        return command.id

    def _reachable(self, connection: Connection, site: str, device: str) -> int:
        table = schema.devices
        query = select(table.c.id, table.c.online).where(table.c.site == site, table.c.device == device)
        row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"no device {site}/{device} has been heard of")
        if not row.online or not self._feed.connected:
            raise NotPossible(f"{device} is offline; what is asked of it now would be forgotten before it comes back")
        return int(row.id)

    def _hear(self, topic: str, payload: bytes) -> None:
        try:
            self._answers.put_nowait((topic, payload))
        except queue.Full:
            log.warning("more than %s answers at once; %s is dropped", _MAX_WAITING, topic)

    def _work(self) -> None:
        looks_at = time.monotonic()
        while not self._stopping.is_set():
            with self._surviving("an answer is dropped"), suppress(queue.Empty):
                self._file(*self._answers.get(timeout=_TICK_S / 4))
            if time.monotonic() >= looks_at:
                looks_at = time.monotonic() + _TICK_S
                with self._surviving("no camera is told to learn anew"):
                    self._tell()
                with self._surviving("no pictures are asked for"):
                    self._look()

    @contextmanager
    def _surviving(self, outcome: str) -> Iterator[None]:
        """Whatever goes wrong with one is not the end of the others; what goes on is said once."""
        try:
            yield
        except Exception as error:
            said = f"{outcome}: {error}"
            if said != self._said:
                unforeseen = not isinstance(error, ValueError | FleetError)
                log.log(logging.ERROR if unforeseen else logging.WARNING, "%s", said, exc_info=unforeseen)
            self._said = said

    def _file(self, topic: str, payload: bytes) -> None:
        """Keep an answer to something that was asked."""
        address = topics.parse_topic(topic)
        response = topics.decode(topics.RSP, payload)
        if not isinstance(response, Response) or response.kind is None:
            return
        now = datetime.now(timezone.utc)
        unasked = self._unasked.pop(response.id, None)
        with self._store.writing() as connection:
            if response.kind is CommandKind.RELEARN:
                relearn.answered(connection, address.site, address.device, response, now)
                return
            asked = unasked or _open_ask(connection, response.id)
            if asked is None or asked.device_id != _device_id(connection, address.site, address.device):
                return
            if asked.kind is not response.kind or asked.expires_at + timedelta(seconds=EXPIRES_AFTER_S) < now:
                return
            outcome = _outcome(connection, asked, response, now)
            if unasked is None:
                connection.execute(
                    update(schema.asks).where(schema.asks.c.id == response.id).values(answered_at=now, **outcome)
                )

    def _tell(self) -> None:
        """Tell devices that are online which cameras shall learn anew."""
        now = datetime.now(timezone.utc)
        if not self._feed.connected:
            return
        with self._store.reading() as connection:
            if not relearn.is_due(connection, now):
                return
        with self._store.writing() as connection:
            commands = relearn.due(connection, now)
        for address, command in commands:
            self._feed.publish(address, command.encode())

    def _look(self) -> None:
        """Ask for the pictures that are due."""
        now = datetime.now(timezone.utc)
        self._unasked = {name: asked for name, asked in self._unasked.items() if asked.expires_at > now}
        if not self._settings.every_s or not self._feed.connected:
            return
        with self._store.reading() as connection:
            cameras = _cameras(connection)
        due_at = time.monotonic() - self._settings.every_s
        due = [each for each in cameras if self._asked_at.get((each[0], each[3]), due_at) <= due_at]
        due.sort(key=lambda each: self._asked_at.get((each[0], each[3]), 0.0))
        for device_id, site, device, camera in due[:MAX_AT_ONCE]:
            if len(self._unasked) >= MAX_UNDER_WAY:
                return
            command = _command(CommandKind.SNAPSHOT, now, camera)
            self._unasked[command.id] = _Asked(device_id, CommandKind.SNAPSHOT, camera, command.expires_at)
            self._asked_at[device_id, camera] = time.monotonic()
            self._feed.publish(topics.Address(site, device, topics.CMD), command.encode())


def answer(connection: Connection, name: str) -> Mapping[Any, Any]:
    """What became of something asked.

    Raises:
        NotFound: nothing of this name was asked, or it is too long ago.
    """
    row = connection.execute(select(schema.asks).where(schema.asks.c.id == name)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"nothing was asked under {name[:32]}, or so long ago that it is forgotten")
    return row


def _command(kind: CommandKind, now: datetime, camera: str | None, lines: int = 200) -> Command:
    expires_at = now + timedelta(seconds=EXPIRES_AFTER_S)
    return Command(id=secrets.token_hex(16), kind=kind, expires_at=expires_at, camera=camera, lines=lines)


def _write_down(connection: Connection, device_id: int, command: Command, who: str, now: datetime) -> None:
    """Note what is asked, and forget the device's oldest."""
    table = schema.asks
    kept = (
        select(table.c.id)
        .where(table.c.device_id == device_id)
        .order_by(table.c.asked_at.desc())
        .limit(KEPT_PER_DEVICE - 1)
    )
    newest = list(connection.execute(kept).scalars())
    connection.execute(delete(table).where(table.c.device_id == device_id, table.c.id.not_in(newest)))
    connection.execute(
        table.insert().values(
            id=command.id, device_id=device_id, kind=command.kind and command.kind.value, camera=command.camera,
            who=who[:256], asked_at=now, expires_at=command.expires_at, reason="", media_type="",
        )
    )  # fmt: skip


def _open_ask(connection: Connection, name: str) -> _Asked | None:
    table = schema.asks
    row = connection.execute(select(table).where(table.c.id == name, table.c.answered_at.is_(None))).one_or_none()
    return None if row is None else _Asked(row.device_id, CommandKind(row.kind), row.camera, row.expires_at)


def _device_id(connection: Connection, site: str, device: str) -> int | None:
    table = schema.devices
    query = select(table.c.id).where(table.c.site == site, table.c.device == device)
    return connection.execute(query).scalar_one_or_none()


def _outcome(connection: Connection, asked: _Asked, response: Response, now: datetime) -> dict[str, Any]:
    """What is written of an answer; a picture goes to its camera."""
    if not response.ok:
        return {"ok": False, "reason": response.reason}
    camera = asked.camera or response.camera
    try:
        body = base64.b64decode(response.body, validate=True)
        if asked.kind is CommandKind.SNAPSHOT and camera is not None:
            keep(connection, asked.device_id, camera, body, response.at, now)
            return {"ok": True, "media_type": "image/jpeg"}
    except ValueError as error:
        return {"ok": False, "reason": f"the answer cannot be used: {error}"}
    if asked.kind is CommandKind.SNAPSHOT:
        return {"ok": False, "reason": "the answer cannot be used: it does not say of which camera it is"}
    text = body.decode("utf-8", errors="replace").replace("\x00", "")
    return {"ok": True, "media_type": response.media_type, "body": text.encode()}


def _cameras(connection: Connection) -> list[tuple[int, str, str, str]]:
    """Every camera of the devices that are online."""
    table = schema.devices
    rows = connection.execute(select(table.c.id, table.c.site, table.c.device, table.c.info).where(table.c.online))
    return [(row.id, row.site, row.device, camera) for row in rows for camera in (row.info or {}).get("cameras", ())]
