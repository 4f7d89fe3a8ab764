"""Takes frames from devices: announced, sent in pieces, looked at, and kept.

A device is told ``stored`` only once the JPEG and its row are on the disk. A kill anywhere before that leaves a part to
go on with, or nothing; what is sent again is no error.
"""

import hashlib
import threading
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Connection, func, select

from edge.contract.frames import MAX_DESCRIPTION_BYTES, PIECE_BYTES, KeptFrame, Receipt
from edge.contract.message import Digest
from fleet import schema, statements
from fleet.errors import FrameRefused, FramesFull
from fleet.frames.folder import FrameFolder, Part
from fleet.jpeg import dimensions
from fleet.settings import FrameSettings
from fleet.store import Store

MAX_PARTS = 4
PRE_LABELLED = "pre-labelled"
_frames = schema.frames.c


class FrameDesk:
    """Receives into ``folder`` and ``store``."""

    def __init__(self, store: Store, folder: Path, settings: FrameSettings) -> None:
        self.store = store
        self.folder, self._settings = FrameFolder(folder), settings
        self._lock = threading.Lock()

    def announce(self, device: str, digest: Digest, body: bytes) -> Receipt:
        """Hear of a frame of ``SITE/DEVICE``.

        Raises:
            FrameRefused: the description cannot be used, or is of another device.
            FramesFull: the device has sent enough for today.
        """
        frame = _read(body)
        if f"{frame.site}/{frame.device}" != device:
            raise FrameRefused(f"{device} announces a frame of {frame.site}/{frame.device}; a device sends its own")
        if frame.image != digest:
            raise FrameRefused("the frame is announced under another digest than its own")
        with self._lock:
            with self.store.reading() as connection:
                if self._is_stored(connection, frame):
                    return Receipt(offset=frame.image_bytes, stored=True)
                spent_bytes = _received_today(connection, frame)
            part = self.folder.part(device, digest)
            others = [each for each in self.folder.parts(device) if each != part]
            if spent_bytes + frame.image_bytes > self._settings.device_day_bytes:
                raise FramesFull(
                    f"{device} has sent {spent_bytes} bytes today, of frames.device_day_bytes "
                    f"{self._settings.device_day_bytes}; go on tomorrow"
                )
            for other in others[: len(others) - MAX_PARTS + 1]:
                other.drop()
            part.announce(body)
            return Receipt(offset=min(part.size_bytes, frame.image_bytes))

    def take(self, device: str, digest: Digest, offset: int, piece: bytes) -> Receipt:
        """Take a piece of an announced frame; one that does not follow on what is here is passed over.

        Raises:
            FrameRefused: it was not announced, or what came is not what was announced.
            FramesFull: the device has sent enough for today.
        """
        with self._lock:
            part = self.folder.part(device, digest)
            frame = _announced(part)
            held_bytes = part.size_bytes
            if offset != held_bytes:
                return Receipt(offset=min(held_bytes, frame.image_bytes))
            if len(piece) > PIECE_BYTES or held_bytes + len(piece) > frame.image_bytes:
                part.drop()
                raise FrameRefused(f"more than the {frame.image_bytes} bytes that were announced, or a piece too large")
            part.append(piece)
            if part.size_bytes < frame.image_bytes:
                return Receipt(offset=part.size_bytes)
            self._keep(part, frame)
            return Receipt(offset=frame.image_bytes, stored=True)

    def _keep(self, part: Part, frame: KeptFrame) -> None:
        try:
            _check(part.path.read_bytes(), frame)
        except FrameRefused:
            part.drop()
            raise
        now = datetime.now(timezone.utc)
        row = {
            "site": frame.site, "device": frame.device, "camera": frame.camera, "captured_at": frame.captured_at,
            "received_at": now, "model": frame.model, "reason": frame.reason.value, "probability": frame.probability,
            "digest": frame.image, "bytes": frame.image_bytes, "state": PRE_LABELLED,
            "payload": frame.encode().decode(),
        }  # fmt: skip
        with self.store.writing() as connection:
            if _received_today(connection, frame) + frame.image_bytes > self._settings.device_day_bytes:
                part.drop()
                raise FramesFull("the device has sent enough for today; go on tomorrow")
            self.folder.accept(part, frame.image)
            statements.add_rows(connection, schema.frames, [row])
        part.drop()

    def _is_stored(self, connection: Connection, frame: KeptFrame) -> bool:
        own = (_frames.site == frame.site, _frames.device == frame.device, _frames.digest == frame.image)
        row = connection.execute(select(_frames.id).where(*own)).one_or_none()
        return row is not None and self.folder.whole(frame.image).is_file()


def _read(body: bytes) -> KeptFrame:
    if len(body) > MAX_DESCRIPTION_BYTES:
        raise FrameRefused(f"a description of {len(body)} bytes, where {MAX_DESCRIPTION_BYTES} are allowed")
    if b"\\u0000" in body:  # PostgreSQL's JSON has no such character
        raise FrameRefused("a description with a NUL character")
    try:
        return KeptFrame.model_validate_json(body)
    except (ValidationError, RecursionError) as error:
        raise FrameRefused(f"this is no description of a frame: {error!s:.300}") from error


def _announced(part: Part) -> KeptFrame:
    try:
        return _read(part.description.read_bytes())
    except FileNotFoundError as error:
        raise FrameRefused("this frame was not announced, or is here already; announce it first") from error


def _check(jpeg: bytes, frame: KeptFrame) -> None:
    if f"sha256:{hashlib.sha256(jpeg).hexdigest()}" != frame.image:
        raise FrameRefused("what came has another digest than was announced; send it anew")
    try:
        size = dimensions(jpeg)
    except ValueError as error:
        raise FrameRefused(f"what came is {error}") from error
    if size != (frame.width_px, frame.height_px):
        raise FrameRefused(
            f"the picture is {size[0]} x {size[1]} px, and {frame.width_px} x {frame.height_px} in words"
        )


def _received_today(connection: Connection, frame: KeptFrame) -> int:
    midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    own = (_frames.site == frame.site, _frames.device == frame.device, _frames.received_at >= midnight)
    return int(connection.execute(select(func.coalesce(func.sum(_frames.bytes), 0)).where(*own)).scalar_one())
