"""Frames as a COCO dataset that annotation tools open and ``canopy-train fit --data`` takes.

::

    DIR/images/SITE.DEVICE.CAMERA/TIME-DIGEST.jpg
    DIR/annotations.json

Things are polygons; with ``iscrowd`` 1, run lengths. Beside what COCO asks for an image has its ``weight`` (the inverse
of its probability of being kept), and ``info.canopy`` tells the lineage.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, or_, select

from edge.contract.frames import KeptFrame, PreLabel
from edge.contract.masks import magnified, unpacked
from fleet import schema
from fleet.errors import NotFound, PlanError
from fleet.frames.folder import FrameFolder
from fleet.frames.outlines import area_px, box, cells_of, polygons

ANNOTATIONS_FILE = "annotations.json"
_frames = schema.frames.c


@dataclass(frozen=True, slots=True)
class Selection:
    """Which frames; what is ``None`` does not matter. ``limit`` takes the newest."""

    site: str | None = None
    camera: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    crop: str | None = None
    limit: int | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What a dataset came to."""

    images: int
    annotations: int


def build(connection: Connection, folder: Path, out: Path, selection: Selection) -> Built:
    """Write the dataset into ``out``, a new folder; ``annotations.json`` comes last, whole.

    Raises:
        PlanError: ``out`` is not empty, or cannot be written.
        NotFound: no frame is selected, or a frame's file is gone.
    """
    rows = selected(connection, selection)
    if not rows:
        raise NotFound("no frame is selected; canopy-fleet dataset list shows what is there")
    _begin(out)
    images = [_image(number, row) for number, row in enumerate(rows, 1)]
    for row, image in zip(rows, images, strict=True):
        _copy(FrameFolder(folder).whole(row.digest), out / image["file_name"])
    described = [KeptFrame.model_validate(row.payload) for row in rows]
    names = sorted({label.category for frame in described for label in frame.labels})
    numbers = {name: number for number, name in enumerate(names, 1)}
    annotations = [
        _annotation(image["id"], numbers[label.category], label, frame)
        for image, frame in zip(images, described, strict=True)
        for label in frame.labels
    ]
    document = {
        "info": _info(rows, selection),
        "licenses": [],
        "images": images,
        "annotations": [{"id": number, **each} for number, each in enumerate(annotations, 1)],
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in numbers.items()],
    }
    _write_whole(out / ANNOTATIONS_FILE, json.dumps(document, separators=(",", ":")).encode())
    return Built(len(images), len(annotations))


def selected(connection: Connection, selection: Selection) -> list[Row[Any]]:
    """The frames, in order of time."""
    query = select(schema.frames)
    for column, wanted in (
        (_frames.site, selection.site), (_frames.camera, selection.camera), (_frames.reason, selection.reason),
        (_frames.model, selection.model),
    ):  # fmt: skip
        query = query if wanted is None else query.where(column == wanted)
    query = query if selection.since is None else query.where(_frames.captured_at >= selection.since)
    query = query if selection.until is None else query.where(_frames.captured_at < selection.until)
    query = query if selection.crop is None else query.where(_grows(selection.crop))
    newest = connection.execute(query.order_by(_frames.captured_at.desc(), _frames.id.desc()).limit(selection.limit))
    return list(reversed(newest.all()))


def _grows(crop: str) -> Any:
    """Whether people say of the camera, or of one of its plots, that this grows there."""
    devices, cameras, plots = schema.devices.c, schema.cameras.c, schema.plots.c
    here = and_(devices.site == _frames.site, devices.device == _frames.device, cameras.name == _frames.camera)
    in_a_plot = exists().where(plots.camera_id == cameras.id, plots.crop == crop)
    return exists().where(cameras.device_id == devices.id, here, or_(cameras.crop == crop, in_a_plot))


def file_of(row: Row[Any]) -> str:
    """What a frame is called in a dataset; no two frames are called the same."""
    return f"{row.captured_at:%Y%m%dT%H%M%S}-{row.digest.removeprefix('sha256:')[:16]}.jpg"


def _image(number: int, row: Row[Any]) -> dict[str, Any]:
    return {
        "id": number, "file_name": f"images/{row.site}.{row.device}.{row.camera}/{file_of(row)}",
        "width": row.payload["width_px"], "height": row.payload["height_px"],
        "date_captured": row.captured_at.isoformat(), "digest": row.digest, "model": row.model, "reason": row.reason,
        "probability": row.probability, "weight": 1 / row.probability, "state": row.state,
    }  # fmt: skip


def _annotation(image: int, category: int, label: PreLabel, frame: KeptFrame) -> dict[str, Any]:
    rows, columns = frame.grid
    height, width = frame.height_px, frame.width_px
    counts = unpacked(label.counts, rows * columns)
    cells = cells_of(counts, rows)
    if label.crowd:
        pixels = magnified(counts, rows, columns, height, width, frame.cell_px)
        outline: Any = {"size": [height, width], "counts": pixels}
    else:
        outline = polygons(cells, frame.cell_px, height, width)
    return {
        "image_id": image, "category_id": category, "iscrowd": int(label.crowd), "segmentation": outline,
        "area": area_px(cells, frame.grid, frame.cell_px, height, width),
        "bbox": box(cells, frame.cell_px, height, width), "score": label.score,
    }  # fmt: skip


def _info(rows: list[Row[Any]], selection: Selection) -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    lineage = {
        "selection": {name: value for name, value in asdict(selection).items() if value is not None},
        "labels": "pre-labels of the models named here; weight is the inverse of the probability of being kept",
        "models": sorted({row.model for row in rows}),
        "sites": sorted({row.site for row in rows}),
        "frames": [row.digest for row in rows],
    }
    told = {"description": "Frames of a Canopy fleet", "version": "1", "year": now.year, "contributor": ""}
    return {**told, "date_created": now.isoformat(), "canopy": json.loads(json.dumps(lineage, default=str))}


def _begin(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_empty = not any(out.iterdir())
    except OSError as error:
        raise PlanError(f"{out} cannot be written: {error}; name a new folder") from error
    if not is_empty:
        raise PlanError(f"{out} is not empty; name a new folder, so that no two datasets are mixed")


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise NotFound(f"{source} is gone, and the store names it; bring it back from a backup") from error
    except OSError as error:
        raise PlanError(f"{target} cannot be written: {error}; free space there") from error


def _write_whole(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".fresh")
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise PlanError(f"{path} cannot be written: {error}; free space there") from error
