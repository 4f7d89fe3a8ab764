"""Tells devices that a person has said why a camera changed, so that it learns anew what the camera shows.

What is to be told stands in the store until the device has answered: one that is away hears of it when it is back. A
command keeps its name until it is answered, so that one that was heard twice is done once; a refused one is tried again
later under another. After ``WITHIN`` it is too late: the device has followed the change by itself.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, exists, func, insert, select, update

from edge.contract import topics
from edge.contract.commands import Command, CommandKind, Response
from fleet import audit, schema

if TYPE_CHECKING:
    from fleet.drift.labels import Label

WITHIN = timedelta(days=14)
UNANSWERED_AGAIN = timedelta(minutes=10)
REFUSED_AGAIN = timedelta(hours=1)
EXPIRES_AFTER = timedelta(seconds=60)
MAX_CAMERAS = 2_000
MAX_AT_ONCE = 8

_open = schema.drift_relearns.c


def plan(connection: Connection, label_id: int, camera_id: int | None, label: "Label") -> int:
    """Note which cameras a label is to be told to, from its beginning on; how many they are.

    Of a whole site those that have ever sent a window: another is not watched.
    """
    if not label.begins_anew or label.since + WITHIN <= label.said_at:
        return 0
    cameras, devices, windows = schema.cameras, schema.devices, schema.drift_windows
    query = select(cameras.c.id).join_from(cameras, devices)
    if camera_id is not None:
        query = query.where(cameras.c.id == camera_id)
    else:
        query = query.where(devices.c.site == label.site, exists().where(windows.c.camera_id == cameras.c.id))
    rows = [
        {
            "label_id": label_id, "camera_id": number, "command_id": secrets.token_hex(16),
            "next_at": max(label.since, label.said_at), "expires_at": label.since + WITHIN, "reason": "",
        }
        for number in connection.execute(query.order_by(cameras.c.id).limit(MAX_CAMERAS)).scalars()
    ]  # fmt: skip
    if rows:
        connection.execute(insert(schema.drift_relearns), rows)
    return len(rows)


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether any device that is online is to be told."""
    return connection.execute(_due(now).limit(1)).first() is not None


def due(connection: Connection, now: datetime) -> list[tuple[topics.Address, Command]]:
    """What is to be told now; it counts as told, and is told again if no answer comes."""
    rows = connection.execute(_due(now).order_by(_open.next_at).limit(MAX_AT_ONCE)).all()
    told = [row.id for row in rows]
    connection.execute(update(schema.drift_relearns).where(_open.id.in_(told)).values(next_at=now + UNANSWERED_AGAIN))
    return [
        (
            topics.Address(row.site, row.device, topics.CMD),
            Command(id=row.command_id, kind=CommandKind.RELEARN, expires_at=now + EXPIRES_AFTER, camera=row.name),
        )
        for row in rows
    ]


def answered(connection: Connection, site: str, device: str, response: Response, now: datetime) -> None:
    """Note what a device says; an answer to nothing that it was told is dropped."""
    cameras, devices, labels, table = schema.cameras, schema.devices, schema.drift_labels, schema.drift_relearns
    joined = table.join(cameras, _open.camera_id == cameras.c.id).join(devices, cameras.c.device_id == devices.c.id)
    query = select(_open.id, cameras.c.name, labels.c.who).select_from(
        joined.join(labels, _open.label_id == labels.c.id)
    )
    query = query.where(_open.command_id == response.id, _open.done_at.is_(None))
    row = connection.execute(query.where(devices.c.site == site, devices.c.device == device)).one_or_none()
    if row is None:
        return
    known = update(table).where(_open.id == row.id)
    if not response.ok:
        later = {"next_at": now + REFUSED_AGAIN, "command_id": secrets.token_hex(16)}
        connection.execute(known.values(reason=response.reason, **later))
        return
    connection.execute(known.values(done_at=now, reason=_text(response)))
    audit.record(connection, row.who, "drift.relearn", f"{site}/{device}/{row.name}")


def progress(connection: Connection, labels: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Of each label how many cameras are to begin anew, and how many have."""
    query = select(_open.label_id, func.count(), func.count(_open.done_at)).where(_open.label_id.in_(labels))
    return {row[0]: (row[1], row[2]) for row in connection.execute(query.group_by(_open.label_id))}


def _due(now: datetime) -> Select[Any]:
    cameras, devices, table = schema.cameras, schema.devices, schema.drift_relearns
    joined = table.join(cameras, _open.camera_id == cameras.c.id).join(devices, cameras.c.device_id == devices.c.id)
    query = select(_open.id, _open.command_id, devices.c.site, devices.c.device, cameras.c.name).select_from(joined)
    return query.where(_open.done_at.is_(None), _open.next_at <= now, _open.expires_at > now, devices.c.online)


def _text(response: Response) -> str:
    return base64.b64decode(response.body).decode("utf-8", errors="replace").replace("\x00", "")[:1_000]
