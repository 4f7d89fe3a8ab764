"""The MQTT payloads."""

from typing import Annotated

from pydantic import Field

from edge.contract.message import Digest, Epoch, Instant, Message, Name, Wire
from edge.contract.records import EventEntry, ObservationEntry


class ObservationBatch(Message):
    """Observations of one camera, in rising order of ``seq``."""

    epoch: Epoch
    items: Annotated[tuple[ObservationEntry, ...], Field(min_length=1, max_length=1000)]


class EventBatch(Message):
    """Events of the device, in rising order of ``seq``."""

    epoch: Epoch
    items: Annotated[tuple[EventEntry, ...], Field(min_length=1, max_length=1000)]


class Ack(Message):
    """Fleet → device: every number of ``epoch`` up to ``seq`` is committed in the fleet's store."""

    epoch: Epoch
    seq: Annotated[int, Field(ge=0, le=2**53)]


class State(Message):
    """Whether the device is there; the offline one is the last will."""

    online: bool
    boot_id: str
    at: Instant


class Tally(Wire):
    """Frames of one camera since the daemon started: captured = processed + dropped + failed."""

    captured: Annotated[int, Field(ge=0)] = 0
    processed: Annotated[int, Field(ge=0)] = 0
    dropped: Annotated[int, Field(ge=0)] = 0
    failed: Annotated[int, Field(ge=0)] = 0


class Info(Message):
    """What the device is."""

    boot_id: str
    software: str
    hardware: str
    python: str
    model_name: str | None = None
    model_version: str | None = None
    model: Digest | None = None
    cameras: tuple[Name, ...] = ()


class Health(Message):
    """How the device does; may be lost."""

    at: Instant
    boot_id: str
    epoch: Epoch
    last_seq: Annotated[int, Field(ge=0)]
    watermark: Annotated[int, Field(ge=0)]
    frames: dict[Name, Tally] = Field(default_factory=dict)
    step_p50_ms: float | None = None
    step_p95_ms: float | None = None
    rss_bytes: int | None = None
    outbox_bytes: int = 0
    disk_free_bytes: int | None = None
    temperatures_c: dict[str, float] = Field(default_factory=dict)
