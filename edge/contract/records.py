"""The records of a device's stream: observations and events, numbered together."""

from enum import Enum
from typing import Annotated

from pydantic import Field

from edge.contract.message import Count, Digest, Entry, Instant, Label, Name, Text, Wire, open_enum
from edge.contract.traits import Unit


class Outcome(str, Enum):
    """What became of looking at a plot. Missing is never zero, so these are four different records."""

    MEASURED = "measured"
    NO_PLANT = "no_plant"
    NOT_TAKEN = "not_taken"
    FAILED = "failed"


class QualityFlag(str, Enum):
    """Why a frame is not fit to measure."""

    DARK = "dark"
    OVEREXPOSED = "overexposed"
    BLURRED = "blurred"
    FROZEN = "frozen"
    LAMP = "lamp"
    """Coloured light: what is seen is the lamp's colour more than the plant's."""
    MOVED = "moved"
    """The camera no longer stands where it was calibrated."""


class TraitValue(Wire):
    """One trait of one plot at one time.

    ``uncertainty`` is one standard deviation in the value's unit, estimated as the vocabulary says. ``None`` is not
    known, which is not zero. ``histogram`` are the shares of equal bins, for a trait that is a distribution; so a
    distribution is one value with one method, and a reader who knows only values loses nothing else.
    """

    trait: Name
    value: float
    unit: Annotated[Unit | None, open_enum(Unit)]
    method: Text = ""
    uncertainty: Annotated[float | None, Field(ge=0)] = None
    histogram: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(max_length=64)] = ()


class Clock(Wire):
    """When something happened, by the wall and by the clock that never jumps.

    ``monotonic_s`` counts within ``boot_id``; ``clock_ok`` says whether the wall clock was believed at that moment.
    """

    at: Instant
    monotonic_s: float
    boot_id: Label
    clock_ok: bool


class Observation(Wire):
    """The traits of one plot at one time, or why there are none.

    ``track`` numbers an object that a moving camera passed over, since its daemon started: one observation for each.
    """

    camera: Name
    plot: Name
    frame_id: Count
    clock: Clock
    outcome: Annotated[Outcome | None, open_enum(Outcome)]
    quality: Annotated[tuple[Annotated[QualityFlag | None, open_enum(QualityFlag)], ...], Field(max_length=16)] = ()
    traits: Annotated[tuple[TraitValue, ...], Field(max_length=256)] = ()
    model: Digest | None = None
    calibration: Digest | None = None
    track: Count | None = None
    error: Text = ""


class EventKind(str, Enum):
    """What can happen to a device that somebody should know of."""

    STARTED = "started"
    STOPPED = "stopped"
    CAMERA_LOST = "camera_lost"
    CAMERA_BACK = "camera_back"
    CAMERA_REPAIR = "camera_repair"
    CAMERA_MOVED = "camera_moved"
    CAMERA_CALIBRATED = "camera_calibrated"
    STORE_QUARANTINED = "store_quarantined"
    STORE_FULL = "store_full"
    MODEL_UNUSABLE = "model_unusable"
    MODEL_STAGED = "model_staged"
    MODEL_ACTIVATED = "model_activated"
    MODEL_CONFIRMED = "model_confirmed"
    MODEL_REFUSED = "model_refused"
    MODEL_ROLLED_BACK = "model_rolled_back"
    SETTINGS_CHANGED = "settings_changed"
    SETTINGS_REFUSED = "settings_refused"
    HOT = "hot"
    COOL = "cool"
    DRIFT = "drift"
    GAP = "gap"


class Event(Wire):
    """Something that happened. A ``gap`` stands, in its entry, for the records that the device had to drop."""

    kind: Annotated[EventKind | None, open_enum(EventKind)]
    clock: Clock
    message: Text
    camera: Name | None = None
    detail: Annotated[dict[Label, Text | int | float | bool | None], Field(max_length=64)] = Field(default_factory=dict)


class ObservationEntry(Entry):
    """An observation in its place in the stream."""

    record: Observation


class EventEntry(Entry):
    """An event in its place in the stream."""

    record: Event
