"""COCO instance segmentation (cocodataset.org, "Data format"): what CVAT, Label Studio and others write.

Polygons, run lengths, and boxes alone are read; keypoints and captions are passed over.
"""

from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from training.datasets.annotations import Annotation, Dataset, DatasetInvalid, Picture
from training.datasets.runlength import RunLengths, box_of, from_counts, from_polygons

MAX_BYTES = 2**30
MAX_SIDE_PX = 20_000

Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


class _Image(BaseModel):
    id: int
    file_name: Annotated[str, Field(min_length=1, max_length=1024)]
    width: Side
    height: Side


class _Counts(BaseModel):
    size: tuple[Side, Side]
    counts: str | list[Annotated[int, Field(ge=0)]]


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float] | None = None
    segmentation: list[list[float]] | _Counts | None = None
    iscrowd: bool = False


class _Category(BaseModel):
    id: int
    name: Annotated[str, Field(min_length=1, max_length=200)]


class _File(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def read_coco(path: Path) -> Dataset:
    """Read a COCO file; its pictures' names begin in its own folder.

    Raises:
        DatasetInvalid: it is no COCO file, names something that it lacks, or a place outside its folder.
    """
    held = _read(path)
    names = {category.id: category.name for category in held.categories}
    marked: dict[int, list[Annotation]] = {image.id: [] for image in held.images}
    sizes = {image.id: (image.height, image.width) for image in held.images}
    for number, annotation in enumerate(held.annotations):
        if annotation.image_id not in marked or annotation.category_id not in names:
            raise DatasetInvalid(
                f"{path}: annotation {number} is of image {annotation.image_id} and category {annotation.category_id}, "
                "which the file does not list; export it again"
            )
        try:
            made = _annotation(annotation, names[annotation.category_id], *sizes[annotation.image_id])
        except ValueError as error:
            raise DatasetInvalid(f"{path}: annotation {number} cannot be used: {error}; draw it again") from error
        marked[annotation.image_id].append(made)
    pictures = tuple(
        Picture(_inside(path, image.file_name), image.height, image.width, tuple(marked[image.id]))
        for image in held.images
    )
    return Dataset(path, path.parent, tuple(names.values()), pictures)


def _read(path: Path) -> _File:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DatasetInvalid(f"{path} has more than {MAX_BYTES >> 20} MiB; split it")
        held = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DatasetInvalid(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise DatasetInvalid(
            f"{path} is no COCO file: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}; "
            'export it as "COCO instance segmentation"'
        ) from error
    if len({image.id for image in held.images}) < len(held.images):
        raise DatasetInvalid(f"{path} gives two images the same id; export it again")
    return held


def _inside(path: Path, name: str) -> str:
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts:
        raise DatasetInvalid(f"{path} names {name!r}, which is outside its folder; make the names relative to the file")
    return place.as_posix()


def _annotation(given: _Annotation, category: str, height: int, width: int) -> Annotation:
    mask = _mask(given.segmentation, height, width)
    box = box_of(mask) if mask is not None else given.bbox
    if box is None:
        raise ValueError("it has neither a segmentation nor a box")
    if not np.isfinite(box).all():
        raise ValueError(f"its box is {box}")
    return Annotation(category, box, mask, given.iscrowd)


def _mask(given: list[list[float]] | _Counts | None, height: int, width: int) -> RunLengths | None:
    if not given:
        return None
    if isinstance(given, list):
        return from_polygons(given, height, width)
    if given.size != (height, width):
        raise ValueError(f"its mask is {given.size[1]} x {given.size[0]} px, its picture {width} x {height}")
    return from_counts(given.counts, height, width)
