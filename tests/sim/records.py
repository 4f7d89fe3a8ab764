"""Records as a device makes them, from a number."""

from datetime import datetime, timedelta, timezone
from itertools import islice

from edge.contract.records import Clock, Event, EventKind, Observation, Outcome, TraitValue
from edge.contract.traits import VOCABULARY

BEGIN = datetime(2026, 5, 1, 6, tzinfo=timezone.utc)
MODEL = "sha256:" + "ab" * 32


def clock(number: int = 0) -> Clock:
    """A minute later for each number."""
    return Clock(at=BEGIN + timedelta(minutes=number), monotonic_s=60.0 * number, boot_id="boot-1", clock_ok=True)


def observation(number: int, camera: str = "bench") -> Observation:
    """A measured plot with a value for each of a dozen traits; ``number`` is its frame."""
    traits = tuple(
        TraitValue(trait=trait.name, value=number + index / 7, unit=trait.unit, method=trait.method)
        for index, trait in enumerate(islice(VOCABULARY.values(), 12))
    )
    return Observation(
        camera=camera, plot=f"R1C{number % 9 + 1}", frame_id=number, clock=clock(number), outcome=Outcome.MEASURED,
        traits=traits, model=MODEL,
    )  # fmt: skip


def event(number: int, message: str = "camera bench gives no pictures") -> Event:
    """A camera that was lost."""
    return Event(kind=EventKind.CAMERA_LOST, clock=clock(number), message=message, camera="bench")
