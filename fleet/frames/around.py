"""A camera's kept frames about a day: the newest from before it, and one from it or after it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from edge.contract.message import Digest
from fleet import schema
from fleet.frames.folder import FrameFolder

_frames = schema.frames.c
Camera = tuple[str, str, str]
"""Site, device and camera."""

MAX_TRIED = 20
"""So many rows are looked at for one whose file is still in the folder."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame that can be shown."""

    digest: Digest
    taken_at: datetime
    width_px: int
    height_px: int
    reason: str


@dataclass(frozen=True, slots=True)
class Around:
    """``after`` is the day's newest, or else the first that came later. ``None``: none was kept."""

    before: Shown | None
    after: Shown | None


def around(connection: Connection, folder: FrameFolder, camera: Camera, begin: datetime, end: datetime) -> Around:
    """The frames about the day from ``begin`` to ``end``."""
    taken = _frames.captured_at
    own = _of(camera)
    before = _first(connection, folder, own.where(taken < begin).order_by(taken.desc()))
    that_day = _first(connection, folder, own.where(taken >= begin, taken < end).order_by(taken.desc()))
    return Around(before, that_day or _first(connection, folder, own.where(taken >= end).order_by(taken)))


def jpeg(connection: Connection, folder: FrameFolder, site: str, device: str, digest: Digest) -> bytes | None:
    """A frame of a device; None if there is none, or its file is gone."""
    own = (_frames.site == site, _frames.device == device, _frames.digest == digest)
    if connection.execute(select(_frames.id).where(*own)).first() is None:
        return None
    try:
        return folder.whole(digest).read_bytes()
    except FileNotFoundError:
        return None


def _of(camera: Camera) -> Select[Any]:
    site, device, name = camera
    query = select(_frames.digest, _frames.captured_at, _frames.reason, _frames.payload)
    return query.where(_frames.site == site, _frames.device == device, _frames.camera == name)


def _first(connection: Connection, folder: FrameFolder, query: Select[Any]) -> Shown | None:
    rows = connection.execute(query.limit(MAX_TRIED))
    row = next((row for row in rows if folder.whole(row.digest).is_file()), None)
    if row is None:
        return None
    known = row.payload
    return Shown(row.digest, row.captured_at, known["width_px"], known["height_px"], row.reason)
