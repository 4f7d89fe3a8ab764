"""What the store knows that a rule may be about: read-only, a handful of queries whatever the number of records."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from edge.contract.control import Failure
from edge.contract.traits import FRUIT_COUNT, PLANT_COUNT, VOCABULARY
from fleet import schema
from fleet.alerts.rules import Fact, Rule, Subject
from fleet.drift.cause import CameraName
from fleet.drift.day import Told, told
from fleet.drift.labels import labels_since, newest_word
from fleet.pages.wording import age, count_text
from fleet.questions.overview import MAX_CAMERAS, CameraState, overview

COUNTED = (PLANT_COUNT.name, FRUIT_COUNT.name)
LEAST_COUNTED = 5
"""Of fewer, one that hides behind a leaf would be a fifth."""

MAX_DEVICES = 20_000
_DAY = timedelta(days=1)
_LABELS_REACH = timedelta(days=8)
"""A record may arrive so long after what it tells of, and its label have ended meanwhile."""

_GB = 1e9


def facts(connection: Connection, now: datetime) -> list[Fact]:
    """Everything that a rule may look at."""
    devices = connection.execute(select(schema.devices).limit(MAX_DEVICES)).mappings().all()
    cameras = list(_cameras(connection, now))
    return [
        *(fact for device in devices for fact in _of_device(device, now)),
        *_gaps(cameras),
        *(fact for camera in cameras for fact in _count_drop(camera)),
        *_failed_updates(connection),
        *_drift(connection, now),
    ]


def _of_device(device: Any, now: datetime) -> Iterator[Fact]:
    """A device that is not there says nothing of its disk and its heat: what it said last is no fact any more."""
    site, name, health = device["site"], device["device"], device["health"] or {}
    minutes = (now - device["last_seen"]).total_seconds() / 60
    told = f"not heard of for {age(device['last_seen'], now).removesuffix(' ago')}"
    yield Fact(Subject(Rule.OFFLINE, site, name), minutes, told)
    if not device["online"]:
        return
    free = health.get("disk_free_bytes")
    if free is not None:
        yield Fact(Subject(Rule.DISK, site, name), -free / _GB, f"{count_text(free / _GB)} GB of disk left")
    heat = health.get("temperatures_c") or {}
    if heat:
        place = max(heat, key=lambda each: float(heat[each]))
        yield Fact(Subject(Rule.TEMPERATURE, site, name), float(heat[place]), f"{place} has {heat[place]:.0f} °C")


def _cameras(connection: Connection, now: datetime) -> Iterator[CameraState]:
    after, more = None, True
    while more:
        page = overview(connection, now, after=after, limit=MAX_CAMERAS)
        yield from page.cameras
        more = page.more
        after = page.cameras[-1].name if page.cameras else None


def _gaps(cameras: Sequence[CameraState]) -> Iterator[Fact]:
    """Of each device once, though each of its cameras tells its numbers."""
    for site, device, missing, dropped in sorted(
        {(each.site, each.device, each.missing, each.dropped) for each in cameras}
    ):
        told = f"{missing} records missing, {dropped} dropped in a day"
        yield Fact(Subject(Rule.GAP, site, device), missing + dropped, told)


def _count_drop(camera: CameraState) -> Iterator[Fact]:
    """Against the same hour of yesterday; a camera that does not measure has another alert."""
    worst: tuple[float, str] | None = None
    for line in camera.headlines:
        if line.trait in COUNTED and line.yesterday is not None and line.yesterday >= LEAST_COUNTED:
            share = 1 - line.now / line.yesterday
            label = VOCABULARY[line.trait].label
            told = f"{label} {count_text(line.now)}, {count_text(round(line.yesterday, 1))} at this hour yesterday"
            worst = max(worst or (share, told), (share, told))
    if worst is not None:
        yield Fact(Subject(Rule.COUNT_DROP, camera.site, camera.device, camera.camera), *worst)


def _failed_updates(connection: Connection) -> Iterator[Fact]:
    devices, reported = schema.devices, schema.reported
    query = select(devices.c.site, devices.c.device, reported.c.payload).join_from(devices, reported)
    for row in connection.execute(query.limit(MAX_DEVICES)):
        failure = row.payload.get("failure")
        known = failure in {each.value for each in Failure}
        told = (
            f"the update {failure.replace('_', ' ')}: {row.payload.get('reason', '')}" if known else "no update failed"
        )
        yield Fact(Subject(Rule.UPDATE_FAILED, row.site, row.device), float(known), told[:500])


def _drift(connection: Connection, now: datetime) -> Iterator[Fact]:
    """What devices told of in the last day, and no person has explained."""
    labels = labels_since(connection, now - _LABELS_REACH)
    changes: dict[CameraName, list[Told]] = defaultdict(list)
    for each in told(connection, now - _DAY):
        said = newest_word(labels, each.camera, each.at)
        if said is None or not said.explains:
            changes[each.camera].append(each)
    for camera, own in changes.items():
        yield Fact(Subject(Rule.DRIFT, *camera), len(own), own[-1].message)
