"""Records of the wire as rows of the store. JSON columns get ready text: one pass of pydantic, no second encoder."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from edge.contract.records import EventEntry, ObservationEntry, QualityFlag, TraitValue

Row = dict[str, Any]

_TRAITS = TypeAdapter(tuple[TraitValue, ...])
_QUALITY = TypeAdapter(tuple[QualityFlag | None, ...])
_DETAIL = TypeAdapter(dict[str, str | int | float | bool | None])


def observation_row(stream_id: int, entry: ObservationEntry, now: datetime) -> Row:
    """One row of ``observations``."""
    record, clock = entry.record, entry.record.clock
    return {
        "stream_id": stream_id,
        "seq": entry.seq,
        "camera": record.camera,
        "plot": record.plot,
        "captured_at": clock.at,
        "clock_ok": clock.clock_ok,
        "monotonic_s": clock.monotonic_s,
        "boot_id": clock.boot_id,
        "received_at": now,
        "frame_id": record.frame_id,
        "outcome": record.outcome and record.outcome.value,
        "quality": _QUALITY.dump_json(record.quality).decode(),
        "traits": _TRAITS.dump_json(record.traits).decode(),
        "model": record.model,
        "calibration": record.calibration,
        "error": record.error,
    }


def event_row(stream_id: int, entry: EventEntry, now: datetime) -> Row:
    """One row of ``events``."""
    record, clock = entry.record, entry.record.clock
    return {
        "stream_id": stream_id,
        "seq": entry.seq,
        "kind": record.kind and record.kind.value,
        "camera": record.camera,
        "happened_at": clock.at,
        "clock_ok": clock.clock_ok,
        "monotonic_s": clock.monotonic_s,
        "boot_id": clock.boot_id,
        "received_at": now,
        "message": record.message,
        "detail": _DETAIL.dump_json(record.detail).decode(),
    }


def hour_of(moment: datetime) -> datetime:
    """The full hour at or before a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)
