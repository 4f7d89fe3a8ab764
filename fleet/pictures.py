"""The newest picture of each camera, as the device drew it: kept, described, and handed out."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from fleet import schema, statements
from fleet.jpeg import dimensions

Document = dict[str, Any]


def keep(
    connection: Connection, device_id: int, camera: str, jpeg: bytes, taken_at: datetime, received_at: datetime
) -> None:
    """Put a picture in the place of the camera's one before.

    Raises:
        ValueError: it is no JPEG.
    """
    width_px, height_px = dimensions(jpeg)
    row = {
        "device_id": device_id,
        "camera": camera,
        "taken_at": min(taken_at, received_at),
        "received_at": received_at,
        "digest": f"sha256:{hashlib.sha256(jpeg).hexdigest()}",
        "width_px": width_px,
        "height_px": height_px,
        "jpeg": jpeg,
    }
    statements.replace_rows(connection, schema.pictures, [row])


def describe(connection: Connection, device_ids: list[int]) -> dict[tuple[int, str], Document]:
    """The pictures of these devices without their bytes, by device and camera."""
    table = schema.pictures
    columns = (table.c.device_id, table.c.camera, table.c.taken_at, table.c.digest, table.c.width_px, table.c.height_px)
    rows = connection.execute(select(*columns).where(table.c.device_id.in_(device_ids)))
    return {(row["device_id"], row["camera"]): dict(row) for row in rows.mappings()}


def find(connection: Connection, site: str, device: str, camera: str) -> Mapping[Any, Any] | None:
    """One camera's picture with its bytes."""
    devices, table = schema.devices, schema.pictures
    query = select(table).join_from(table, devices, table.c.device_id == devices.c.id)
    here = query.where(devices.c.site == site, devices.c.device == device, table.c.camera == camera)
    return connection.execute(here).mappings().one_or_none()
