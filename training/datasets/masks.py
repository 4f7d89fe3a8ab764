"""A folder with ``images`` and ``masks``: for each picture a PNG of the same name whose values number its instances.

Each value but 0 is one instance, as in the leaf segmentation challenge (CVPPP, Minervini et al. 2016); a coloured PNG
has one colour an instance. Masks lie in ``masks/CATEGORY/``, or in ``masks`` itself if there is only one category,
which is then called ``leaf``.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.annotations import Annotation, Dataset, DatasetInvalid, Picture
from training.datasets.runlength import box_of, encode

IMAGES, MASKS = "images", "masks"
ONLY_CATEGORY = "leaf"
SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}
MAX_INSTANCES = 4096


def read_masks(folder: Path) -> Dataset:
    """Read such a folder; a picture without a mask is one in which nobody marked anything.

    Raises:
        DatasetInvalid: a mask cannot be read, has no picture, or more values than it can have instances.
    """
    categories = {entry.name: entry for entry in sorted((folder / MASKS).iterdir()) if entry.is_dir()}
    categories = categories or {ONLY_CATEGORY: folder / MASKS}
    files = sorted(path for path in (folder / IMAGES).rglob("*") if path.suffix.lower() in SUFFIXES)
    names = {path.relative_to(folder / IMAGES).with_suffix("") for path in files}
    for place in categories.values():
        for mask in place.rglob("*.png"):
            if mask.relative_to(place).with_suffix("") not in names:
                raise DatasetInvalid(
                    f"{mask} has no picture of that name in {folder / IMAGES}; add it or remove the mask"
                )
    return Dataset(folder, folder, tuple(categories), tuple(_picture(folder, path, categories) for path in files))


def _picture(folder: Path, path: Path, categories: dict[str, Path]) -> Picture:
    name = path.relative_to(folder / IMAGES)
    annotations: list[Annotation] = []
    size: tuple[int, int] | None = None
    for category, place in categories.items():
        file = place / name.with_suffix(".png")
        if file.exists():
            numbers = _numbers(file)
            size = numbers.shape[0], numbers.shape[1]
            annotations += _annotations(file, category, numbers)
    if size is None:
        size = _size(path)
    return Picture(path.relative_to(folder).as_posix(), *size, tuple(annotations))


def _size(path: Path) -> tuple[int, int]:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DatasetInvalid(f"{path} is no picture that can be read; export it again, or take it out")
    return pixels.shape[0], pixels.shape[1]


def _numbers(file: Path) -> NDArray[np.int64]:
    mask = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise DatasetInvalid(f"{file} is no picture that can be read; export the mask again as PNG")
    values = np.asarray(mask, np.int64)
    if values.ndim == 3:
        values = values[..., 0] + (values[..., 1] << 16) + (values[..., 2] << 32)
    return values


def _annotations(file: Path, category: str, numbers: NDArray[np.int64]) -> list[Annotation]:
    values = [value for value in np.unique(numbers) if value]
    if len(values) > MAX_INSTANCES:
        raise DatasetInvalid(
            f"{file} has {len(values)} values, each of which would be an instance; save it without smoothed edges"
        )
    made = []
    for value in values:
        mask = encode(numbers == value)
        made.append(Annotation(category, box_of(mask), mask))
    return made
