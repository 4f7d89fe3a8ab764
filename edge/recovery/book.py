"""What was done to have cameras back, kept over restarts: counts, and when the machine was restarted for one."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from pydantic import Field

from edge.contract.message import Count, Instant, Label, Name, Wire
from edge.disk import write_whole
from edge.recovery.ladder import Rung
from edge.settings import RebootSettings

BOOK_FILE = "repairs.json"
MAX_BYTES = 1_000_000
KEEP_REBOOTS = 32
DAY_S = 86_400.0


class Reboot(Wire):
    """One restart of the machine that a camera was the reason for."""

    at: Instant
    clock_ok: bool
    boot_id: Label
    """Of the time before it."""


class Book(Wire):
    """All of it."""

    counts: dict[Name, dict[Label, Count]] = Field(default_factory=dict)
    reboots: tuple[Reboot, ...] = ()

    def counted(self, camera: str, rung: Rung) -> "Book":
        """With one more ``rung`` of ``camera``."""
        of_camera = self.counts.get(camera, {})
        counts = {**self.counts, camera: {**of_camera, rung.value: of_camera.get(rung.value, 0) + 1}}
        return self.model_copy(update={"counts": counts})

    def rebooted(self, reboot: Reboot) -> "Book":
        """With one more restart of the machine."""
        return self.model_copy(update={"reboots": (*self.reboots, reboot)[-KEEP_REBOOTS:]})


def why_no_reboot(settings: RebootSettings, book: Book, now: Reboot, *, uptime_s: float, others_work: bool) -> str:
    """Why the machine is not to be restarted now; empty if it may be.

    Wall clocks lie, so a restart counts as one of the last day unless it is certainly older: by two clocks that were
    both believed, or because the machine has since run for a day.
    """
    if others_work and not settings.though_others_work:
        return "another camera gives pictures"
    if uptime_s < settings.min_uptime_s:
        return f"the machine has run for {uptime_s:.0f} s only, of {settings.min_uptime_s:.0f}"
    recent = sum(not _is_a_day_old(reboot, now, uptime_s) for reboot in book.reboots)
    if recent >= settings.per_day:
        return f"it was restarted {recent} times in a day, of {settings.per_day} allowed"
    return ""


def read_book(state_dir: Path) -> Book:
    """What is kept; an empty book if there is none or it is damaged: counts are worth less than the camera.

    A damaged book counts as one restart just now, so that damage never makes the budget larger.
    """
    path = state_dir / BOOK_FILE
    try:
        with path.open("rb") as file:
            return Book.model_validate_json(file.read(MAX_BYTES))
    except FileNotFoundError:
        return Book()
    except (OSError, ValueError):  # pydantic's own is a ValueError
        unknown = Reboot(at=datetime.fromtimestamp(0, timezone.utc), clock_ok=False, boot_id="unknown")
        return Book(reboots=(unknown,))


def write_book(state_dir: Path, book: Book) -> None:
    """Replace the book as a whole, on the disk. Raises ``OSError``."""
    write_whole(state_dir / BOOK_FILE, book.model_dump_json().encode())


def _is_a_day_old(reboot: Reboot, now: Reboot, uptime_s: float) -> bool:
    if reboot.boot_id != now.boot_id and uptime_s >= DAY_S:
        return True
    return reboot.clock_ok and now.clock_ok and now.at - reboot.at >= timedelta(seconds=DAY_S)
