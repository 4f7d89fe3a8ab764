"""A batch of letters, sorted: for each device what it is like now, and what came for each of its streams."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from edge.contract.control import Reported
from edge.contract.drift import DriftEntry
from edge.contract.message import Message
from edge.contract.messages import DriftBatch, EventBatch, Health, Info, ObservationBatch, State
from edge.contract.records import EventEntry, EventKind, ObservationEntry
from fleet.ingest.intake import Letter
from fleet.ingest.spans import Span

Row = dict[str, Any]
DeviceName = tuple[str, str]
"""Site and device."""


@dataclass(slots=True)
class StreamPost:
    """What came for one stream, in order of arrival."""

    observations: list[ObservationEntry] = field(default_factory=list)
    events: list[EventEntry] = field(default_factory=list)
    drift: list[DriftEntry] = field(default_factory=list)
    gaps: list[tuple[Span, EventEntry]] = field(default_factory=list)
    announced_seq: int = 0

    @property
    def seqs(self) -> list[int]:
        """The numbers of its records, with repeats."""
        return [entry.seq for entry in (*self.observations, *self.events, *self.drift)]

    @property
    def acknowledged(self) -> bool:
        """Whether records came; health alone is owed no answer."""
        return bool(self.observations or self.events or self.drift or self.gaps)


@dataclass(slots=True)
class DevicePost:
    """What came for one device."""

    status: Row = field(default_factory=dict)
    reported: Reported | None = None
    streams: dict[str, StreamPost] = field(default_factory=lambda: defaultdict(StreamPost))


def storable(text: str) -> str:
    """Without NUL, as a character or as JSON's escape: PostgreSQL takes it in no text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").replace("\\u0000", "\\ufffd")


def sort_letters(letters: Iterable[Letter], now: datetime) -> dict[DeviceName, DevicePost]:
    """By device, in the order of their names: whoever writes takes locks in the same order."""
    devices: dict[DeviceName, DevicePost] = defaultdict(DevicePost)
    for letter in letters:
        device = devices[letter.site, letter.device]
        device.status.update(_status(letter.message, now, live=letter.live))
        _sort_records(device, letter.message)
    return dict(sorted(devices.items(), key=itemgetter(0)))


def _status(message: Message, now: datetime, *, live: bool) -> Row:
    """What a message says of its device. A last will is no sign of life; anything else that is live is.

    Records tell that it was there, not that it still is: another process may file them after the last will.
    """
    if isinstance(message, State):
        return {"online": message.online} | ({"last_seen": now} if live and message.online else {})
    heard: Row = {"last_seen": now} if live else {}
    if isinstance(message, (ObservationBatch, DriftBatch, EventBatch)):
        return heard
    if live:
        heard["online"] = True
    if isinstance(message, Info):
        return heard | {"info": storable(message.model_dump_json(by_alias=True))}
    if isinstance(message, Health):
        return heard | {"health": storable(message.model_dump_json(by_alias=True))}
    return heard


def _sort_records(device: DevicePost, message: Message) -> None:
    if isinstance(message, Reported):
        device.reported = message
    elif isinstance(message, Health):
        post = device.streams[message.epoch]
        post.announced_seq = max(post.announced_seq, message.last_seq)
    elif isinstance(message, ObservationBatch):
        device.streams[message.epoch].observations.extend(message.items)
    elif isinstance(message, DriftBatch):
        device.streams[message.epoch].drift.extend(message.items)
    elif isinstance(message, EventBatch):
        post = device.streams[message.epoch]
        for entry in message.items:
            if entry.record.kind is EventKind.GAP or entry.first_seq is not None:
                post.gaps.append((entry.span, entry))
            else:
                post.events.append(entry)
