"""What a camera's watch knows, and how it outlives a restart: one file, bounded and without anything that runs."""

import io
import logging
import zipfile
import zlib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from edge.contract.drift import FOURIER_TERMS, WindowSums
from edge.contract.message import Instant
from edge.contract.records import Clock
from edge.contract.reference import Distribution
from edge.disk import write_whole
from edge.drift.detector import Detector
from edge.drift.recent import HOURS, Recent

MAX_BYTES = 8_000_000

_UNUSABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)

log = logging.getLogger(__name__)


class OpenWindow(BaseModel):
    """A window that still grows."""

    band: str
    reference: str
    rebased: bool
    since: Clock
    until: Clock
    sums: WindowSums

    def take(self, clock: Clock, sums: WindowSums) -> None:
        """Take in a capture. One from before the others, where the clock was set back, moves the window's beginning."""
        self.since = clock if clock.at < self.since.at else self.since
        self.until = clock if clock.at > self.until.at else self.until
        self.sums = self.sums + sums


class Notes(BaseModel):
    """Everything that is no array."""

    names: tuple[str, ...] = ()
    package: str = ""
    stage: str | None = None
    looked_at: Instant | None = None
    day: date | None = None
    windows: list[OpenWindow] = Field(default_factory=list)
    clean: list[tuple[str, dict[str, float]]] = Field(default_factory=list, max_length=10_000)
    clean_since: date | None = None
    own: dict[str, dict[str, Distribution]] = Field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    forgot_for: str = ""
    """The command for which all that was known was forgotten last."""


@dataclass(slots=True)
class Memory:
    """Notes, the last days, the detectors, the mean Fourier terms of each hour, and today.

    ``fourier`` is float64 [HOURS, FOURIER_TERMS], ``today`` float32 [2, HOURS, statistics]: scores and changes.
    """

    notes: Notes = field(default_factory=Notes)
    recent: Recent = field(default_factory=lambda: Recent(0))
    detector: Detector = field(default_factory=lambda: Detector(0))
    fourier: NDArray[np.float64] = field(default_factory=lambda: np.full((HOURS, FOURIER_TERMS), np.nan))
    today: NDArray[np.float32] = field(default_factory=lambda: _no_day(0))

    def begin(self, names: tuple[str, ...]) -> None:
        """Know nothing of these statistics yet."""
        self.recent, self.detector = Recent(len(names)), Detector(len(names))
        self.today = _no_day(len(names))

    def forget(self, which: NDArray[np.bool_]) -> None:
        """Begin anew with some statistics, and with what the features are like."""
        self.recent.forget(which)
        self.detector.forget(which)
        self.fourier[:] = np.nan

    def start_over(self) -> None:
        """Know nothing any more of what the camera shows.

        How much that varies, and how often it lay far off, is still believed.
        """
        self.recent.forget(np.ones(self.recent.count, np.bool_))
        self.detector.evidence[:] = 0.0
        self.fourier[:], self.today[:] = np.nan, np.nan

    def save(self, path: Path) -> None:
        """Keep it.

        Raises:
            OSError: it cannot be written; what was kept before is still there.
        """
        content = io.BytesIO()
        np.savez_compressed(content, **self._arrays())
        write_whole(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Memory":
        """What was kept; an empty memory if there is nothing that can be read, which costs the days of learning."""
        try:
            return cls._of(_arrays_in(path))
        except FileNotFoundError:
            return cls()
        except _UNUSABLE as error:
            log.warning("what %s knows of drift cannot be used and is learnt anew: %s", path, error)
            return cls()

    def _arrays(self) -> dict[str, Any]:
        notes = np.frombuffer(self.notes.model_dump_json().encode(), np.uint8)
        recent, detector = self.recent, self.detector
        return {
            "notes": notes, "fourier": self.fourier, "today": self.today,
            "values": recent.values, "place": recent.place, "spread": recent.spread, "followed": recent.followed,
            "beyond": detector.beyond, "scores": detector.scores, "evidence": detector.evidence,
        }  # fmt: skip

    @classmethod
    def _of(cls, arrays: dict[str, NDArray[Any]]) -> "Memory":
        memory = cls(Notes.model_validate_json(arrays["notes"].tobytes()))
        memory.begin(memory.notes.names)
        places: tuple[tuple[Any, tuple[str, ...]], ...] = (
            (memory, ("fourier", "today")),
            (memory.recent, ("values", "place", "spread", "followed")),
            (memory.detector, ("beyond", "scores", "evidence")),
        )
        for holder, names in places:
            for name in names:
                empty = getattr(holder, name)
                if arrays[name].shape != empty.shape or arrays[name].dtype != empty.dtype:
                    raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}")
                setattr(holder, name, arrays[name])
        return memory


def _no_day(count: int) -> NDArray[np.float32]:
    return np.full((2, HOURS, count), np.nan, np.float32)


def _arrays_in(path: Path) -> dict[str, NDArray[Any]]:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
