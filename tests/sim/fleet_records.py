"""Messages as a device would send them, short to write."""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from edge.contract.messages import EventBatch, Health, ObservationBatch
from edge.contract.records import (
    Clock,
    Event,
    EventEntry,
    EventKind,
    Observation,
    ObservationEntry,
    Outcome,
    TraitValue,
)
from edge.contract.traits import LEAF_COUNT, Unit
from fleet.ingest.intake import Letter

EPOCH, OTHER_EPOCH = "a" * 32, "b" * 32
NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
DIGEST = f"sha256:{0:064}"


def clock(at: datetime = NOON, *, ok: bool = True) -> Clock:
    return Clock(at=at, monotonic_s=12.5, boot_id="boot", clock_ok=ok)


def observation(
    seq: int, *, camera: str = "cam", plot: str = "P1", at: datetime | None = None, outcome: Outcome = Outcome.MEASURED
) -> ObservationEntry:
    """Taken ``seq`` minutes after noon; its leaf count is its number."""
    leaves = TraitValue(trait=LEAF_COUNT.name, value=seq, unit=Unit.COUNT, method="counted")
    record = Observation(
        camera=camera,
        plot=plot,
        frame_id=seq,
        clock=clock(at or NOON + timedelta(minutes=seq)),
        outcome=outcome,
        traits=(leaves,) if outcome is Outcome.MEASURED else (),
        model=DIGEST,
    )
    return ObservationEntry(seq=seq, record=record)


def batch(seqs: Iterable[int], epoch: str = EPOCH) -> ObservationBatch:
    return ObservationBatch(epoch=epoch, items=tuple(observation(seq) for seq in seqs))


def gap(first: int, last: int, epoch: str = EPOCH) -> EventBatch:
    record = Event(kind=EventKind.GAP, clock=clock(), message="the disk budget was used up")
    return EventBatch(epoch=epoch, items=(EventEntry(seq=last, first_seq=first, record=record),))


def event(seq: int, kind: EventKind = EventKind.CAMERA_LOST, epoch: str = EPOCH) -> EventBatch:
    record = Event(kind=kind, clock=clock(NOON + timedelta(minutes=seq)), message="no picture", camera="cam")
    return EventBatch(epoch=epoch, items=(EventEntry(seq=seq, record=record),))


def health(last_seq: int, epoch: str = EPOCH) -> Health:
    return Health(at=NOON, boot_id="boot", epoch=epoch, last_seq=last_seq, watermark=0)


def letter(
    message: ObservationBatch | EventBatch | Health, *, device: str = "dev", site: str = "site", live: bool = True
) -> Letter:
    return Letter(site, device, message, live)
