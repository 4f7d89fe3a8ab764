"""Which photographs are kept out of training: whole places, never single frames of one."""

import hashlib
import re
from pathlib import PurePosixPath

from training.args import DataSettings
from training.datasets.annotations import Dataset, DatasetInvalid, Picture


def split(dataset: Dataset, settings: DataSettings) -> tuple[Dataset, Dataset]:
    """What to train on, and what to hold back.

    Which places are held back follows from their names alone, so that a picture that is added later moves no other. If
    all come from one place, the last of them by name are held back: neighbouring frames show the same, so they stay
    together.

    Raises:
        DatasetInvalid: a name does not tell its place, or there is too little to split.
    """
    places: dict[str, list[Picture]] = {}
    for picture in sorted(dataset.pictures, key=lambda picture: picture.name):
        places.setdefault(place_of(picture.name, settings, dataset), []).append(picture)
    total = len(dataset.pictures)
    if total < 2:
        raise DatasetInvalid(f"{dataset.source} has {total} picture(s), nothing can be held back; label some more")
    wanted = max(1, round(total * settings.held_back))
    if len(places) == 1:
        (pictures,) = places.values()
        return dataset.only(pictures[:-wanted]), dataset.only(pictures[-wanted:])
    held: list[Picture] = []
    order = sorted(places, key=lambda place: hashlib.sha256(place.encode()).digest())
    while len(held) < wanted and len(order) > 1:
        held += places[order.pop(0)]
    return dataset.only([picture for place in sorted(order) for picture in places[place]]), dataset.only(held)


def share_a_place(train: Dataset, held_back: Dataset, settings: DataSettings) -> bool:
    """Whether a place is on both sides, because there is no other: what is held back then shows what training sees."""
    ours, theirs = (
        {place_of(picture.name, settings, part) for picture in part.pictures} for part in (train, held_back)
    )
    return bool(ours & theirs)


def place_of(name: str, settings: DataSettings, dataset: Dataset) -> str:
    """Where a picture comes from, by its name.

    Raises:
        DatasetInvalid: the configuration's expression finds nothing in it.
    """
    if settings.group is None:
        return str(PurePosixPath(name).parent)
    match = re.search(settings.group, name)
    if match is None or match[1] is None:
        raise DatasetInvalid(
            f"{dataset.source}: data.group {settings.group!r} finds nothing in {name}; mend the expression"
        )
    if settings.block is None:
        return match[1]
    if not match[1].isdecimal():
        raise DatasetInvalid(f"{dataset.source}: data.block needs a number, data.group finds {match[1]!r} in {name}")
    return str(int(match[1]) // settings.block)
