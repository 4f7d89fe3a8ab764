"""Records of the wire as rows of the store. JSON columns get ready text: one pass of pydantic, no second encoder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from edge.contract.drift import DriftEntry
from edge.contract.records import Clock, EventEntry, ObservationEntry, QualityFlag, TraitValue
from fleet.ingest.post import Row, storable
from fleet.ingest.words import Key, Kind

AHEAD = timedelta(hours=1)
"""How far a device's clock may be ahead of ours and still be believed."""

_QUALITY = TypeAdapter(tuple[QualityFlag | None, ...])
_DETAIL = TypeAdapter(dict[str, str | int | float | bool | None])


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of the words in a batch of observations: plots by device, camera and name."""

    plots: Mapping[Key, int]
    trait_sets: Mapping[tuple[Kind, ...], int]
    digests: Mapping[Key, int]

    def digest(self, digest: str | None) -> int | None:
        """Of a model or a calibration, if there is one."""
        return None if digest is None else self.digests[digest,]


def observation_row(
    device_id: int, stream_id: int, entry: ObservationEntry, kinds: tuple[Kind, ...], now: datetime, numbers: Numbers
) -> Row:
    """One row of ``observations``."""
    record, clock = entry.record, entry.record.clock
    return {
        "stream_id": stream_id,
        "seq": entry.seq,
        "taken_at": taken_at(clock, now),
        "plot_id": numbers.plots[device_id, record.camera, record.plot],
        "captured_at": clock.at,
        "clock_ok": clock.clock_ok,
        "repaired": False,
        "monotonic_s": clock.monotonic_s,
        "boot_id": storable(clock.boot_id),
        "received_at": now,
        "frame_id": record.frame_id,
        "outcome": record.outcome and record.outcome.value,
        "quality": _QUALITY.dump_json(record.quality).decode() if record.quality else None,
        "trait_set_id": numbers.trait_sets[kinds],
        "readings": [value.value for value in record.traits],
        "deviations": _deviations(record.traits),
        "histograms": _histograms(record.traits),
        "model_id": numbers.digest(record.model),
        "calibration_id": numbers.digest(record.calibration),
        "error": storable(record.error),
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
        "boot_id": storable(clock.boot_id),
        "received_at": now,
        "message": storable(record.message),
        "detail": storable(_DETAIL.dump_json(record.detail).decode()),
    }


def drift_row(stream_id: int, entry: DriftEntry, now: datetime, camera_id: int, model_id: int) -> Row:
    """One row of ``drift_windows``."""
    record = entry.record
    return {
        "stream_id": stream_id,
        "seq": entry.seq,
        "camera_id": camera_id,
        "model_id": model_id,
        "band": record.band,
        "since": record.since.at,
        "until": record.until.at,
        "clock_ok": record.until.clock_ok,
        "received_at": now,
        "payload": record.model_dump_json(by_alias=True),
    }


def taken_at(clock: Clock, now: datetime) -> datetime:
    """When a record was taken, as far as is known: its arrival, where its clock is not to be believed."""
    return clock.at if clock.clock_ok and clock.at <= now + AHEAD else now


def hour_of(moment: datetime) -> datetime:
    """The full hour at or before a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _deviations(traits: Sequence[TraitValue]) -> list[float | None] | None:
    found = [value.uncertainty for value in traits]
    return found if any(deviation is not None for deviation in found) else None


def _histograms(traits: Sequence[TraitValue]) -> str | None:
    found = {position: value.histogram for position, value in enumerate(traits) if value.histogram}
    return json.dumps(found) if found else None
