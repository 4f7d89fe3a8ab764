"""The MQTT payloads."""

from typing import Annotated

from pydantic import Field

from edge.contract.drift import DriftEntry
from edge.contract.message import Count, Digest, Epoch, Instant, Label, Message, Name, Wire
from edge.contract.records import EventEntry, ObservationEntry


class ObservationBatch(Message):
    """Observations of one camera, in rising order of ``seq``."""

    epoch: Epoch
    items: Annotated[tuple[ObservationEntry, ...], Field(min_length=1, max_length=1000)]


class EventBatch(Message):
    """Events of the device, in rising order of ``seq``."""

    epoch: Epoch
    items: Annotated[tuple[EventEntry, ...], Field(min_length=1, max_length=1000)]


class DriftBatch(Message):
    """Drift windows of one camera, in rising order of ``seq``."""

    epoch: Epoch
    items: Annotated[tuple[DriftEntry, ...], Field(min_length=1, max_length=1000)]


class Ack(Message):
    """Fleet → device: every number of ``epoch`` up to ``seq`` is committed in the fleet's store."""

    epoch: Epoch
    seq: Count


class State(Message):
    """Whether the device is there; the offline one is the last will."""

    online: bool
    boot_id: Label
    at: Instant


class Tally(Wire):
    """Frames of one camera since the daemon started: captured = processed + dropped + failed."""

    captured: Count = 0
    processed: Count = 0
    dropped: Count = 0
    failed: Count = 0


class Info(Message):
    """What the device is."""

    boot_id: Label
    software: Label
    hardware: Label
    python: Label
    model_name: Label | None = None
    model_version: Label | None = None
    model: Digest | None = None
    cameras: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    camera_kinds: Annotated[tuple[Name, ...], Field(max_length=64)] = ()


class Health(Message):
    """How the device does; may be lost."""

    at: Instant
    boot_id: Label
    epoch: Epoch
    last_seq: Count
    watermark: Count
    frames: Annotated[dict[Name, Tally], Field(max_length=64)] = Field(default_factory=dict)
    step_p50_ms: float | None = None
    step_p95_ms: float | None = None
    rss_bytes: Count | None = None
    outbox_bytes: Count = 0
    disk_free_bytes: Count | None = None
    temperatures_c: Annotated[dict[Label, float], Field(max_length=64)] = Field(default_factory=dict)
    fps: Annotated[dict[Name, float], Field(max_length=64)] = Field(default_factory=dict)
    """Pictures processed per second of each camera, since the last health."""
    clocks_mhz: Annotated[dict[Label, float], Field(max_length=64)] = Field(default_factory=dict)
    power_mode: Label | None = None
    throttled: bool | None = None
    """The chip runs slower than it could, for heat or for want of power; ``None``: it does not tell."""
    relief: Label = ""
    """What the device does against heat by itself; empty: nothing is needed."""
    clock_ok: bool | None = None
    repairs: Annotated[dict[Name, dict[Label, Count]], Field(max_length=64)] = Field(default_factory=dict)
    """How often each step was taken to have a camera back: reopen, rebuild, service, power, reboot."""
