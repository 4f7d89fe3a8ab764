"""Records as bytes: one as it is stored, many as they are sent. What was stored is sent byte by byte as it is."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from edge.contract.drift import DriftWindow
from edge.contract.message import SCHEMA
from edge.contract.records import Event, Observation, Outcome
from edge.contract.topics import CHANNELS, Channel

MAX_TEXT_CHARS = 2_000
MAX_RECORD_BYTES = 262_144
"""So that any record fits into a message of its own, and none can hold up the stream."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the log. It carries its epoch, so that nobody can send it under another; ``body`` is JSON."""

    epoch: str
    seq: int
    first_seq: int | None
    channel: str
    camera: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """One message: entries of one channel and camera in rising order of number."""

    channel: Channel
    camera: str | None
    payload: bytes


Record = Observation | Event | DriftWindow
"""What a device's stream is made of."""


def body_of(record: Record) -> bytes:
    """The record as JSON, without its number, in at most ``MAX_RECORD_BYTES``.

    Long texts are cut. A record that is too large even so, or that holds a number that is none, which the fleet would
    refuse, is replaced by one that says so, in the same place: a reading becomes a failed reading, and none holds up
    the stream.
    """
    if isinstance(record, Observation) and (wrong := _not_numbers(record)):
        return _json(_replacement(record, f"what was measured is no number: {wrong}"))
    if isinstance(record, DriftWindow):
        return _json(record)
    body = _json(_with_short_text(record))
    if len(body) > MAX_RECORD_BYTES:
        return _json(_replacement(record, f"the record had {len(body)} bytes; {MAX_RECORD_BYTES} are allowed"))
    return body


def batches(rows: Sequence[Row]) -> Iterator[Batch]:
    """The messages that carry ``rows``, which are of one epoch; none is larger than its channel allows."""
    by_address = sorted(rows, key=lambda row: (row.channel, row.camera or "", row.seq))
    for (name, camera), group in groupby(by_address, key=lambda row: (row.channel, row.camera)):
        channel = CHANNELS[name]
        head = f'{{"schema":{SCHEMA},"epoch":"{rows[0].epoch}","items":['.encode()
        for items in _fitting([_item(row) for row in group], channel.max_bytes - len(head) - len(b"]}")):
            yield Batch(channel, camera, head + b",".join(items) + b"]}")


def _item(row: Row) -> bytes:
    first = "" if row.first_seq is None else f'"first_seq":{row.first_seq},'
    return f'{{"seq":{row.seq},{first}"record":'.encode() + row.body + b"}"


def _fitting(items: list[bytes], room_bytes: int) -> Iterator[list[bytes]]:
    """Cut ``items`` into runs whose bytes, with the commas between, fit into ``room_bytes``."""
    run: list[bytes] = []
    used_bytes = 0
    for item in items:
        if run and used_bytes + len(item) > room_bytes:
            yield run
            run, used_bytes = [], 0
        run.append(item)
        used_bytes += len(item) + len(b",")
    yield run


def _json(record: Record) -> bytes:
    return record.model_dump_json(by_alias=True).encode()


def _not_numbers(observation: Observation) -> str:
    return ", ".join(f"{each.trait} {each.value}" for each in observation.traits if not math.isfinite(each.value))


def _with_short_text(record: Observation | Event) -> Observation | Event:
    field = "error" if isinstance(record, Observation) else "message"
    text: str = getattr(record, field)
    if len(text) <= MAX_TEXT_CHARS:
        return record
    return record.model_copy(update={field: f"{text[:MAX_TEXT_CHARS]} … ({len(text)} characters)"})


def _replacement(record: Observation | Event, what: str) -> Observation | Event:
    if isinstance(record, Event):
        return record.model_copy(update={"message": what, "detail": {}})
    return record.model_copy(update={"outcome": Outcome.FAILED, "traits": (), "quality": (), "error": what})
