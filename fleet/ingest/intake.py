"""What an MQTT message is: a letter to file, or a reject with its reason. Pure, whatever bytes come in."""

from dataclasses import dataclass

from pydantic import ValidationError

from edge.contract import topics
from edge.contract.control import Desired
from edge.contract.drift import DriftEntry
from edge.contract.message import Message
from edge.contract.messages import Ack, DriftBatch, ObservationBatch
from edge.contract.records import ObservationEntry

HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that holds what its topic promises. ``live``: not one that the broker had retained."""

    site: str
    device: str
    message: Message
    live: bool = True


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that does not: what was wrong, and how it began."""

    topic: str
    reason: str
    head: bytes


def read(topic: str, payload: bytes, *, retained: bool = False) -> Letter | Reject:
    """Read one message. Never raises, and what a reject keeps is bounded."""
    try:
        address = topics.parse_topic(topic)
        message = topics.decode(address.channel, payload)
        _check(address, message)
    except ValueError as error:
        return Reject(_bounded(topic), _bounded(_reason(error)), payload[:HEAD_BYTES])
    return Letter(address.site, address.device, message, live=not retained)


def _check(address: topics.Address, message: Message) -> None:
    """What the payload's type alone does not promise."""
    if isinstance(message, (Ack, Desired)):
        raise ValueError("the fleet says this, it is not told it")  # noqa: TRY004 - the topic is wrong
    if isinstance(message, (ObservationBatch, DriftBatch)):
        for entry in message.items:
            _check_record(entry, str(address.camera))


def _check_record(entry: ObservationEntry | DriftEntry, camera: str) -> None:
    record = entry.record
    if record.camera != camera:
        raise ValueError("the record's camera is not the topic's")
    if entry.first_seq not in {None, entry.seq}:
        raise ValueError("a record stands for one number, not for a range")


def _reason(error: Exception) -> str:
    """Short and the same for the same mistake, so that repeats add up instead of piling up."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join("*" if isinstance(part, int) else str(part) for part in first["loc"])
        return f"{place or 'payload'}: {first['type']}"
    return str(error)


def _bounded(text: str) -> str:
    """Printable, and short enough for its column."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)[:250]
