"""Labelled frames, divided: what a candidate is trained on, and what the gate measures it on.

Whole cameras are held back, never single frames: one of each site's three at least, or, where a site has one camera
only, the last third of its days. So the gate asks for plants that training has not seen, or not on these days.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from edge.contract.comparison import DRIFTED, of_site
from fleet.drift.cause import CameraName
from fleet.errors import PlanError

FIT = "fit"
HELD_BACK_SHARE = 1 / 3
MAX_FILE_BYTES = 2**30

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a frame comes from; ``file`` is the last part of its name in a dataset."""

    file: str
    camera: CameraName
    at: datetime


def held_back(frames: Iterable[Taken]) -> frozenset[str]:
    """The files that training does not see.

    Raises:
        PlanError: a site has frames of one camera on one day only.
    """
    of_site_: dict[str, list[Taken]] = defaultdict(list)
    for frame in frames:
        of_site_[frame.camera[0]].append(frame)
    return frozenset(frame.file for site, own in sorted(of_site_.items()) for frame in _of_site(site, own))


def _of_site(site: str, frames: list[Taken]) -> list[Taken]:
    cameras = sorted({frame.camera for frame in frames}, key=_order)
    if len(cameras) > 1:
        chosen = set(cameras[: max(1, int(len(cameras) * HELD_BACK_SHARE))])
        return [frame for frame in frames if frame.camera in chosen]
    days = sorted({frame.at.date() for frame in frames})
    if len(days) < 2:
        raise PlanError(f"site {site} has labelled frames of one camera on one day: label some of another day too")
    last = set(days[-max(1, int(len(days) * HELD_BACK_SHARE)) :])
    return [frame for frame in frames if frame.at.date() in last]


def _order(camera: CameraName) -> bytes:
    """Follows from the name alone, so that a camera that is added later moves no other."""
    return hashlib.sha256("/".join(camera).encode()).digest()


def divided(
    document: Document, frames: Mapping[str, Taken], changed: Collection[CameraName], since: datetime
) -> dict[str, Document]:
    """A COCO document for each part: ``fit``, and the slices that the gate asks for.

    Raises:
        PlanError: a picture is not among the frames, or nothing of a part is there.
    """
    images = [(image, _taken(image, frames)) for image in document["images"]]
    back = held_back(taken for _, taken in images)
    parts: dict[str, list[Any]] = defaultdict(list)
    for image, taken in images:
        if taken.file not in back:
            parts[FIT].append(image["id"])
            continue
        parts[of_site(taken.camera[0])].append(image["id"])
        if taken.camera in changed and taken.at >= since:
            parts[DRIFTED].append(image["id"])
    for needed in (FIT, DRIFTED):
        if not parts[needed]:
            raise PlanError(
                f"no labelled frame is left for {needed}: label more, of several cameras and days since {since:%F}"
            )
    return {name: _only(document, set(ids)) for name, ids in parts.items()}


def _taken(image: Any, frames: Mapping[str, Taken]) -> Taken:
    name = image.get("file_name") if isinstance(image, dict) else None
    found = frames.get(PurePosixPath(str(name).replace("\\", "/")).name)
    if found is None:
        raise PlanError(f"{name} is no frame of this retraining; label those that canopy-fleet retrain frames wrote")
    return found


def _only(document: Document, ids: set[Any]) -> Document:
    images = [image for image in document["images"] if image["id"] in ids]
    annotations = [each for each in document["annotations"] if each["image_id"] in ids]
    return {**document, "images": images, "annotations": annotations}


def read_labels(path: Path) -> Document:
    """A COCO file that an annotation tool wrote.

    Raises:
        PlanError: it is none.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PlanError(f"{path} has more than {MAX_FILE_BYTES} bytes; that is no file of labels")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise PlanError(f"{path} cannot be read: {error}; export the labels as COCO to this place") from error
    held = document if isinstance(document, dict) else {}
    images, annotations = held.get("images"), held.get("annotations")
    if not _entries(images, "id") or not _entries(annotations, "image_id"):
        raise PlanError(f"{path} lists no images or annotations; export the labels as COCO instance segmentation")
    return held


def _entries(given: Any, key: str) -> bool:
    """Whether it is a list of objects that each have a number under ``key``."""
    return isinstance(given, list) and all(isinstance(each, dict) and isinstance(each.get(key), int) for each in given)


def write_parts(parts: Mapping[str, Document], folder: Path) -> dict[str, Path]:
    """Each part as a COCO file of its own in the pictures' folder.

    Raises:
        PlanError: it cannot be written.
    """
    places = {name: folder / f"part-{name.replace(':', '-')}.json" for name in parts}
    try:
        for name, document in parts.items():
            places[name].write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    except OSError as error:
        raise PlanError(f"{folder} cannot be written: {error}; free space there") from error
    return places
