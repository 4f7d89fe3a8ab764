"""Kept frames on the disk: written whole or not at all, listed, and dropped by age and size."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.contract.frames import KeptFrame
from edge.disk import write_whole
from edge.harvest.policy import Budget
from edge.settings.harvest import HarvestSettings

HARVEST_FOLDER = "harvest"
BUDGET_FILE = "budget.json"
TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"

_BUDGET: TypeAdapter[Budget] = TypeAdapter(Budget)


@dataclass(frozen=True, slots=True)
class Shelved:
    """A kept frame: the JPEG's path; the description lies beside it."""

    path: Path

    @property
    def description(self) -> Path:
        """Where what is known of it stands."""
        return self.path.with_suffix(".json")

    @property
    def taken_at(self) -> str:
        """As it stands in the name."""
        return self.path.stem.split("-")[0]

    @property
    def size_bytes(self) -> int:
        """Of both files; 0 once they are gone."""
        try:
            return self.path.stat().st_size + self.description.stat().st_size
        except OSError:
            return 0

    def read(self) -> KeptFrame | None:
        """What is known of it; None if that cannot be read, or is gone."""
        try:
            return KeptFrame.model_validate_json(self.description.read_bytes())
        except (OSError, ValidationError):
            return None

    def drop(self) -> None:
        """Forget it; the picture first, so that what is left of a power cut is swept."""
        self.path.unlink(missing_ok=True)
        self.description.unlink(missing_ok=True)


class Shelf:
    """The folder of one camera."""

    def __init__(self, state_dir: Path, camera: str) -> None:
        self.folder = state_dir / HARVEST_FOLDER / camera

    def frames(self) -> list[Shelved]:
        """The oldest first."""
        return [Shelved(path) for path in sorted(self.folder.glob("*.jpg"))]

    def write(self, frame: KeptFrame, jpeg: bytes) -> Shelved:
        """Keep a frame.

        Raises:
            OSError: the disk refuses; nothing is kept.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{frame.captured_at.strftime(TIME_FORMAT)}-{frame.image.removeprefix('sha256:')[:16]}"
        shelved = Shelved(self.folder / f"{name}.jpg")
        write_whole(shelved.description, frame.encode())
        try:
            write_whole(shelved.path, jpeg)
        except OSError:
            shelved.description.unlink(missing_ok=True)
            raise
        return shelved

    def sweep(self) -> None:
        """Remove what a kill left half-written; only while nobody writes here."""
        for half in (*self.folder.glob(".*.fresh"), *self.folder.glob("*-*.json")):
            if half.suffix == ".fresh" or not half.with_suffix(".jpg").exists():
                half.unlink(missing_ok=True)

    def trim(self, settings: HarvestSettings, now: datetime) -> None:
        """Drop what is too old, and the oldest of what is too much."""
        frames = self.frames()
        too_old = (now - timedelta(days=settings.keep_days)).strftime(TIME_FORMAT)
        total_bytes = sum(frame.size_bytes for frame in frames)
        for frame in frames:
            if total_bytes <= settings.max_bytes and frame.taken_at >= too_old:
                break
            total_bytes -= frame.size_bytes
            frame.drop()

    def read_budget(self, today: datetime) -> Budget:
        """What the last run left; before the first, a day before all days, so that the first frame opens its own.

        Where it cannot be read, a day of which nothing is left, lest it be spent twice.
        """
        path = self.folder / BUDGET_FILE
        try:
            return _BUDGET.validate_json(path.read_bytes())
        except FileNotFoundError:
            return Budget(date.min)
        except (OSError, ValidationError):
            return Budget(today.date(), by_chance_bytes=10**15, for_reasons_bytes=10**15)

    def write_budget(self, budget: Budget) -> None:
        """Keep it for the next run.

        Raises:
            OSError: the disk refuses.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / BUDGET_FILE, _BUDGET.dump_json(budget))


def shelves(state_dir: Path) -> list[Shelf]:
    """Of every camera that has one."""
    folders = sorted(path for path in (state_dir / HARVEST_FOLDER).glob("*") if path.is_dir())
    return [Shelf(state_dir, folder.name) for folder in folders]


def all_frames(state_dir: Path) -> list[Shelved]:
    """Of all cameras, the oldest first."""
    found = [frame for shelf in shelves(state_dir) for frame in shelf.frames()]
    return sorted(found, key=lambda frame: frame.taken_at)


def read_lines(frames: list[Shelved]) -> Iterator[dict[str, Any]]:
    """What people are told of each frame."""
    for frame in frames:
        known = frame.read()
        if known is not None:
            told = json.loads(known.model_dump_json(include=_TOLD, by_alias=True))
            yield {**told, "name": frame.path.stem, "labels": len(known.labels)}


_TOLD = {"camera", "captured_at", "reason", "probability", "image", "image_bytes", "model_name", "blanked"}
