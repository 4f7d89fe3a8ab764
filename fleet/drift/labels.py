"""What people say a change was: kept for ever, and silencing what it explains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from sqlalchemy import Connection, insert, select

from fleet import audit, schema
from fleet.drift import relearn
from fleet.errors import NotFound, PlanError

MAX_LABELS = 5_000
MAX_NOTE_CHARS = 1_000


class Said(str, Enum):
    """What a change can be said to be."""

    EXPECTED = "expected"
    LENS_CLEANED = "lens_cleaned"
    CAMERA_MOVED = "camera_moved"
    LAMP_CHANGED = "lamp_changed"
    NEW_VARIETY = "new_variety"
    NEW_CROP = "new_crop"
    PESTS = "pests"
    FAULT = "fault"

    @property
    def explains(self) -> bool:
        """Whether nobody is needed any more: pests and faults are named, and stay alarms all the same."""
        return self not in {Said.PESTS, Said.FAULT}

    @property
    def begins_anew(self) -> bool:
        """Whether what the camera shows from now on is how it is: the device then need not learn it in a fortnight."""
        return self.explains and self is not Said.EXPECTED


@dataclass(frozen=True, slots=True)
class Label:
    """A person's word on a time of a site, or of one of its cameras (``device``/``camera``).

    ``learn_anew``: whether devices are told of it, if it is a word that they are told of. ``learning`` is how many
    cameras they were, and ``learned`` how many of them have begun anew.
    """

    site: str
    device: str | None
    camera: str | None
    said: Said
    since: datetime
    until: datetime | None
    note: str
    who: str
    said_at: datetime
    learn_anew: bool = True
    learning: int = 0
    learned: int = 0

    @property
    def begins_anew(self) -> bool:
        """Whether devices are to be told."""
        return self.learn_anew and self.said.begins_anew

    def covers(self, camera: tuple[str, str, str], at: datetime) -> bool:
        """Whether it speaks of a camera at a time."""
        site, device, name = camera
        here = site == self.site and (self.camera is None or (device, name) == (self.device, self.camera))
        return here and self.since <= at and (self.until is None or at < self.until)


def newest_word(labels: Sequence[Label], camera: tuple[str, str, str], at: datetime) -> Said | None:
    """What was said last of a camera at a time."""
    words = [label for label in labels if label.covers(camera, at)]
    return max(words, key=lambda label: label.said_at).said if words else None


def say(connection: Connection, label: Label) -> Label:
    """Keep a label, write it into the audit log, and note which cameras are to begin anew; the label with their number.

    Raises:
        NotFound: nothing has been heard of the camera.
        PlanError: it ends before it begins, or the note is too long.
    """
    if label.until is not None and label.until <= label.since:
        raise PlanError(f"a label that begins at {label.since} cannot end at {label.until}; give a later end, or none")
    if len(label.note) > MAX_NOTE_CHARS:
        raise PlanError(f"a note of {len(label.note)} characters is too long; {MAX_NOTE_CHARS} are allowed")
    camera_id = _camera_id(connection, label)
    table = schema.drift_labels
    made = insert(table).values(
        site=label.site, camera_id=camera_id, label=label.said.value, since=label.since,
        until=label.until, note=label.note, who=label.who, said_at=label.said_at,
    )  # fmt: skip
    number = int(connection.execute(made.returning(table.c.id)).scalar_one())
    learning = relearn.plan(connection, number, camera_id, label)
    subject = "/".join(part for part in (label.site, label.device, label.camera) if part)
    detail = {"said": label.said.value, "note": label.note[:200]} | ({"learning": str(learning)} if learning else {})
    audit.record(connection, label.who, "drift.label", subject, **detail)
    return replace(label, learning=learning)


def labels_since(connection: Connection, since: datetime, site: str | None = None) -> list[Label]:
    """Labels that reach into the time from ``since`` on, oldest first."""
    table, cameras, devices = schema.drift_labels, schema.cameras, schema.devices
    joined = table.outerjoin(cameras, table.c.camera_id == cameras.c.id).outerjoin(
        devices, cameras.c.device_id == devices.c.id
    )
    query = select(table, devices.c.device, cameras.c.name.label("camera")).select_from(joined)
    query = query.where((table.c.until.is_(None)) | (table.c.until > since))
    query = query if site is None else query.where(table.c.site == site)
    rows = connection.execute(query.order_by(table.c.said_at.desc()).limit(MAX_LABELS)).all()
    known = relearn.progress(connection, [row.id for row in rows])
    return [
        Label(
            row.site, row.device, row.camera, Said(row.label), row.since, row.until, row.note, row.who, row.said_at,
            learning=known.get(row.id, (0, 0))[0], learned=known.get(row.id, (0, 0))[1],
        )
        for row in reversed(rows)
    ]  # fmt: skip


def _camera_id(connection: Connection, label: Label) -> int | None:
    if label.camera is None:
        return None
    cameras, devices = schema.cameras, schema.devices
    query = select(cameras.c.id).join_from(cameras, devices)
    here = (devices.c.site == label.site, devices.c.device == label.device, cameras.c.name == label.camera)
    found = connection.execute(query.where(*here)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"nothing has been heard of camera {label.site}/{label.device}/{label.camera}")
    return int(found)
