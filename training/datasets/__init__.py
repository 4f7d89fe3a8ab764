"""Labelled photographs: what annotation tools and breeders have on the disk, read as training needs it."""

from pathlib import Path

from training.datasets.annotations import Dataset, DatasetInvalid
from training.datasets.coco import read_coco
from training.datasets.masks import IMAGES, MASKS, read_masks

__all__ = ["Dataset", "DatasetInvalid", "open_dataset"]


def open_dataset(path: Path) -> Dataset:
    """Read a COCO file, a folder with one, or a folder with ``images`` and ``masks``.

    Raises:
        DatasetInvalid: it is none of these, or cannot be used.
    """
    if path.is_file():
        return read_coco(path)
    if (path / IMAGES).is_dir() and (path / MASKS).is_dir():
        return read_masks(path)
    files = sorted(path.glob("*.json")) or sorted(path.glob("annotations/*.json"))
    if len(files) == 1:
        return read_coco(files[0])
    found = ", ".join(file.name for file in files) if files else "nothing of these"
    raise DatasetInvalid(
        f"{path} holds {found}: give a COCO file, a folder with one .json file, or a folder with {IMAGES}/ and {MASKS}/"
    )
