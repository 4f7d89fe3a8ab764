"""What grows where, as people say it."""

from sqlalchemy import Connection, select, update

from fleet import schema
from fleet.errors import NotFound, NotPossible

MAX_LENGTH = 64


def set_crop(
    connection: Connection, site: str, device: str, camera: str, crop: str | None, plot: str | None = None
) -> None:
    """Say what grows before a camera, or on one of its plots; ``None`` takes it back.

    Raises:
        NotPossible: the name is empty or longer than 64 characters.
        NotFound: nothing has been heard of the camera or the plot.
    """
    if crop is not None and not 0 < len(crop.strip()) <= MAX_LENGTH:
        raise NotPossible(f"{crop!r:.80} is no name of a crop; give one of 1 to {MAX_LENGTH} characters")
    devices, cameras, plots = schema.devices, schema.cameras, schema.plots
    of_camera = (
        select(cameras.c.id)
        .join_from(cameras, devices)
        .where(devices.c.site == site, devices.c.device == device, cameras.c.name == camera)
        .scalar_subquery()
    )
    if plot is None:
        changed = connection.execute(update(cameras).where(cameras.c.id == of_camera).values(crop=crop))
    else:
        here = (plots.c.camera_id == of_camera, plots.c.name == plot)
        changed = connection.execute(update(plots).where(*here).values(crop=crop))
    if not changed.rowcount:
        name = "/".join(part for part in (site, device, camera, plot) if part is not None)
        raise NotFound(f"nothing has been heard of {name}; canopy-fleet devices lists what there is")
