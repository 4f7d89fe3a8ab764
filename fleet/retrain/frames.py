"""The frames of a retraining: those that its champion measured, from some weeks before the change until now."""

from datetime import datetime, time, timedelta, timezone
from pathlib import Path

from sqlalchemy import Connection, func, or_, select

from fleet import audit, schema
from fleet.frames import dataset
from fleet.retrain.book import Retraining
from fleet.retrain.reason import Reason
from fleet.retrain.split import Taken

_frames = schema.frames.c


def selection(retraining: Retraining, history_days: int) -> dataset.Selection:
    """Which frames."""
    return dataset.Selection(since=retraining.since - timedelta(days=history_days), model=retraining.champion.digest)


def lay_out(
    connection: Connection, frames_folder: Path, retraining: Retraining, history_days: int, out: Path
) -> dataset.Built:
    """Write them as a COCO dataset with pre-labels, for people to correct.

    Raises:
        PlanError: ``out`` is not empty, or cannot be written.
        NotFound: no frame has come home.
    """
    return dataset.build(connection, frames_folder, out, selection(retraining, history_days))


def note_laid_out(connection: Connection, retraining: Retraining, built: dataset.Built, who: str) -> None:
    """Write down that frames wait for labels."""
    audit.record(connection, who, "retrain frames", retraining.name, retraining.champion.digest, frames=built.images)


def taken(connection: Connection, retraining: Retraining, history_days: int) -> dict[str, Taken]:
    """Where each frame comes from, by what it is called in the dataset."""
    rows = dataset.selected(connection, selection(retraining, history_days))
    names = [(dataset.file_of(row), row) for row in rows]
    return {name: Taken(name, (row.site, row.device, row.camera), row.captured_at) for name, row in names}


def frames_of(connection: Connection, reason: Reason) -> int:
    """How many frames of the cameras that have changed came home since they did."""
    here = [
        (_frames.site == site) & (_frames.device == device) & (_frames.camera == camera)
        for site, device, camera in reason.cameras
    ]
    begin = datetime.combine(reason.since, time(), timezone.utc)
    query = select(func.count()).where(or_(*here), _frames.captured_at >= begin)
    return int(connection.execute(query).scalar_one())
