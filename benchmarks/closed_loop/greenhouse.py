"""A rendered greenhouse with a truth: trays that grow, a variety that changes on a day, and who labels its frames."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.records import Outcome
from training.synthetic.faults import other_variety
from training.synthetic.timelapse import Moment, Tray, render_timelapse

TRAY = Tray(rows=2, columns=3, height_px=480, width_px=640, cell_px=200)
HOURS = range(6, 20)
FIRST_DAY = 18
"""Plants that are grown, so that a day is as hard to count as the one before: what is measured is drift, not growth."""

VARIETY = 2.85
"""How much redder the new variety is: more than ``strong`` in the drift benchmark. The champion's error doubles."""


@dataclass(frozen=True)
class Calendar:
    """Days of the story, counted from the first that cameras see: as sown, with the new variety, with the new model."""

    begin: datetime
    before: int
    drifted: int
    after: int

    def day(self, number: int) -> datetime:
        """Its midnight."""
        return self.begin + timedelta(days=number)

    @property
    def days(self) -> int:
        """All of them."""
        return self.before + self.drifted + self.after


@dataclass(frozen=True)
class Truth:
    """What is there at a moment: leaves seen of each plot, and masks of plants and leaves, uint16 [H, W]."""

    leaves: Mapping[str, int]
    plants: NDArray[np.uint16]
    leaf: NDArray[np.uint16]


class Bench:
    """One camera's tray: pictures by hour in a folder for each day, and the truth of each.

    Args:
        folder: where the pictures go.
        seed: another seed, another tray.
        calendar: when its plants are of the new variety.
    """

    def __init__(self, folder: Path, seed: int, calendar: Calendar) -> None:
        self.folder, self._seed, self._calendar = folder, seed, calendar
        self._truths: dict[datetime, Truth] = {}

    def render(self) -> None:
        """Write every picture: ``DAY/YYYYMMDDTHHMMSS.jpg``, in UTC."""
        calendar = self._calendar
        moments = render_timelapse(self._seed, TRAY, FIRST_DAY + calendar.days, 1, empty=1, wanted=_by_day)
        for moment in moments:
            number, hour = divmod(round(moment.hour), 24)
            number -= FIRST_DAY
            at = calendar.day(number) + timedelta(hours=hour)
            pixels = moment.scene.pixels
            if number >= calendar.before:
                pixels = other_variety(pixels, moment.scene.labels.instances[0] > 0, VARIETY, self._seed)
            self._truths[at] = _truth(moment)
            folder = self.folder / f"{number:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{at:%Y%m%dT%H%M%S}.jpg"), pixels, (cv2.IMWRITE_JPEG_QUALITY, 92))

    def gather(self, into: Path, days: range, every_min: int = 60) -> Path:
        """Links to the pictures of some days; more often than hourly, the hour's picture stands for its minutes."""
        into.mkdir(parents=True)
        for number in days:
            for picture in sorted((self.folder / f"{number:02d}").iterdir()):
                for minute in range(0, 60, every_min):
                    name = picture.name if minute == 0 else f"{picture.stem[:11]}{minute:02d}00.jpg"
                    (into / name).hardlink_to(picture)
        return into

    def truth(self, at: datetime) -> Truth:
        """What was there: that of the hour."""
        return self._truths[at.replace(minute=0, second=0, microsecond=0)]


def _by_day(hour: float) -> bool:
    return hour >= FIRST_DAY * 24 and int(hour) % 24 in HOURS


def _truth(moment: Moment) -> Truth:
    plants, leaf = moment.scene.labels.instances
    return Truth({plot: moment.truth(plot)[0] for plot in TRAY.places}, plants, leaf)


def count_error(records: Iterator[Any], bench: Bench, days: range, calendar: Calendar) -> float:
    """Mean absolute error of the leaf count over plots and pictures of some days, as the device has recorded it."""
    begin, end = calendar.day(days.start), calendar.day(days.stop)
    errors = []
    for record in records:
        at = datetime.fromisoformat(record["clock"]["at"])
        if not begin <= at < end or record["outcome"] == Outcome.FAILED.value:
            continue
        counted = next((trait["value"] for trait in record["traits"] if trait["trait"] == "leaf_count"), 0.0)
        errors.append(abs(counted - bench.truth(at).leaves[record["plot"]]))
    return float(np.mean(errors))


def label(folder: Path, benches: Mapping[str, Bench]) -> Path:
    """What a person does in an annotation tool: every plant and leaf of every frame drawn as it is; the COCO file."""
    document = json.loads((folder / "annotations.json").read_text())
    numbers = {"plant": 1, "leaf": 2}
    drawn: list[dict[str, Any]] = []
    for image in document["images"]:
        name = Path(image["file_name"])
        bench = next(bench for device, bench in benches.items() if f".{device}." in name.parent.name)
        truth = bench.truth(datetime.fromisoformat(image["date_captured"]))
        for category, mask in (("plant", truth.plants), ("leaf", truth.leaf)):
            drawn += _drawn(image["id"], numbers[category], mask)
    document["annotations"] = [{"id": number, **each} for number, each in enumerate(drawn, 1)]
    document["categories"] = [{"id": number, "name": name} for name, number in numbers.items()]
    labelled = folder / "labelled.json"
    labelled.write_text(json.dumps(document))
    return labelled


def _drawn(image: int, category: int, instances: NDArray[np.uint16]) -> Iterator[dict[str, Any]]:
    """An annotation for each instance of uint16 [H, W], with its mask as COCO's run lengths, column by column."""
    height, width = instances.shape
    column_wise = instances.ravel(order="F")
    pixels = np.flatnonzero(column_wise)
    pixels = pixels[np.argsort(column_wise[pixels], kind="stable")]
    for own in () if not pixels.size else np.split(pixels, np.flatnonzero(np.diff(column_wise[pixels])) + 1):
        runs = np.split(own, np.flatnonzero(np.diff(own) > 1) + 1)
        edges = [edge for run in runs for edge in (int(run[0]), int(run[-1]) + 1)]
        x, y = own // height, own % height
        left, top = int(x.min()), int(y.min())
        yield {
            "image_id": image, "category_id": category, "iscrowd": 0, "area": len(own),
            "segmentation": {"size": [height, width], "counts": np.diff([0, *edges, height * width]).tolist()},
            "bbox": [left, top, int(x.max()) + 1 - left, int(y.max()) + 1 - top],
        }  # fmt: skip
