"""One table of every topic: its name, quality of service, retain flag, payload and size limit."""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from edge.contract.commands import Command, Response
from edge.contract.control import Desired, Reported
from edge.contract.message import Message, Name
from edge.contract.messages import Ack, DriftBatch, EventBatch, Health, Info, ObservationBatch, State

ROOT = "canopy/v1"
_NAME: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Channel:
    """A kind of topic below ``canopy/v1/{site}/{device}/``; ``per_camera`` ones end in a camera's name."""

    name: str
    qos: int
    retain: bool
    payload: type[Message]
    max_bytes: int
    per_camera: bool = False


OBS = Channel("obs", 1, False, ObservationBatch, 1_000_000, per_camera=True)
DRIFT = Channel("drift", 1, False, DriftBatch, 1_000_000, per_camera=True)
EVENT = Channel("event", 1, False, EventBatch, 1_000_000)
STATE = Channel("state", 1, True, State, 4_096)
INFO = Channel("info", 1, True, Info, 16_384)
HEALTH = Channel("health", 0, False, Health, 65_536)
ACK = Channel("ack", 1, True, Ack, 4_096)
DESIRED = Channel("desired", 1, True, Desired, 65_536)
REPORTED = Channel("reported", 1, True, Reported, 262_144)
CMD = Channel("cmd", 1, False, Command, 4_096)
RSP = Channel("rsp", 1, False, Response, 540_000)

CHANNELS: dict[str, Channel] = {
    channel.name: channel for channel in (OBS, DRIFT, EVENT, STATE, INFO, HEALTH, ACK, DESIRED, REPORTED, CMD, RSP)
}


@dataclass(frozen=True, slots=True)
class Address:
    """Who a topic is about. Its text is the topic."""

    site: str
    device: str
    channel: Channel
    camera: str | None = None

    def __str__(self) -> str:
        levels = [ROOT, self.site, self.device, self.channel.name]
        return "/".join([*levels, self.camera] if self.camera else levels)


def subscription(channel: Channel, site: str = "+", device: str = "+") -> str:
    """The filter that matches ``channel`` of the named (or any) devices."""
    levels = [ROOT, site, device, channel.name]
    return "/".join([*levels, "+"] if channel.per_camera else levels)


def parse_topic(topic: str) -> Address:
    """Read a topic.

    Raises:
        ValueError: it is not one of ours.
    """
    parts = topic.split("/")
    root, levels = "/".join(parts[:2]), parts[2:]
    channel = CHANNELS.get(levels[2]) if len(levels) in {3, 4} else None
    if root != ROOT or channel is None or channel.per_camera != (len(levels) == 4):
        raise ValueError(f"{topic!r} is not a topic of {ROOT}")
    try:
        site, device = _NAME.validate_python(levels[0]), _NAME.validate_python(levels[1])
        camera = _NAME.validate_python(levels[3]) if channel.per_camera else None
    except ValidationError as error:
        raise ValueError(f"{topic!r} holds a name that is none") from error
    return Address(site, device, channel, camera)


def decode(channel: Channel, payload: bytes) -> Message:
    """Read a payload of ``channel``.

    Raises:
        ValueError: it is larger than the channel allows or not what the channel carries (pydantic's ValidationError
            is a ValueError).
    """
    if len(payload) > channel.max_bytes:
        raise ValueError(f"{len(payload)} bytes on {channel.name}, which allows {channel.max_bytes}")
    return channel.payload.model_validate_json(payload)
