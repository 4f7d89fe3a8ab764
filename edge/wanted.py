"""The settings that run: the file's, and over them what the fleet wants of those that it may change.

What is wanted is kept in the state directory and outlives a restart. It is on trial until a first picture has been
measured with it: a wish with which the daemon ends again and again before that is dropped by itself, and the settings
that were proven last run again. The file stays as the technician wrote it.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from edge.contract.control import Setting
from edge.contract.message import Count, Wire
from edge.contract.records import EventKind
from edge.disk import write_whole
from edge.settings import DeviceSettings
from edge.settings.paths import of_fleet, with_wishes

WANTED_FILE = "wanted.json"
MAX_BYTES = 200_000
MAX_STARTS = 2
"""Ends of the daemon on trial that are allowed: a power cut may happen."""

Wishes = dict[str, Setting]
Told = tuple[EventKind, str, dict[str, str | int | float | bool | None]]

log = logging.getLogger(__name__)


class Kept(Wire):
    """What is kept of the fleet's wishes.

    ``wishes`` are those in force, ``proven`` those with which a picture was measured last, ``starts`` how often the
    daemon has begun with unproven ones, ``dropped`` those that were given up, and why.
    """

    revision: Count = 0
    wishes: Annotated[Wishes, Field(max_length=64)] = Field(default_factory=dict)
    proven: Annotated[Wishes, Field(max_length=64)] = Field(default_factory=dict)
    starts: Count = 0
    dropped: Annotated[Wishes, Field(max_length=64)] = Field(default_factory=dict)
    why: str = ""


def read_kept(state_dir: Path) -> Kept:
    """What is kept; nothing if nothing was ever wanted, or if it cannot be understood: the fleet says it again."""
    path = state_dir / WANTED_FILE
    try:
        with path.open("rb") as file:
            return Kept.model_validate_json(file.read(MAX_BYTES))
    except FileNotFoundError:
        return Kept()
    except (OSError, ValidationError) as error:
        log.warning(
            "%s cannot be read; the file's settings run until the fleet says again what it wants: %s", path, error
        )
        return Kept()


class WantedSettings:
    """Keeps the settings that run. Safe for any number of threads.

    Args:
        file: the settings as the file has them.
        changed: called when other settings are to run: the daemon begins again with ``running``.
        heeds: whether the fleet is heard at all; a run over files has its own settings from its start to its end.
    """

    def __init__(self, file: DeviceSettings, changed: Callable[[], None], *, heeds: bool = True) -> None:
        self._changed, self._heeds = changed, heeds
        self._lock = threading.Lock()
        self._file = file
        self._kept = read_kept(file.state_dir)
        self._untold: list[Told] = []
        self.refused: dict[str, str] = {}
        self.running = file
        self.version = 0
        """Rises with every change of what is to be reported."""

    def begin(self) -> None:
        """The daemon starts: count it, and drop what was never proven if it has started so too often."""
        if not self._heeds:
            return
        with self._lock:
            kept = self._kept
            if kept.wishes != kept.proven and kept.starts >= MAX_STARTS:
                self._drop(f"the daemon ended {kept.starts} times before it had measured a picture with it")
            elif kept.wishes != kept.proven:
                self._keep(kept.model_copy(update={"starts": kept.starts + 1}))
            self._settle()

    def hear(self, revision: int, wishes: Wishes) -> None:
        """What the fleet wants, from any thread. What runs already, or failed before, changes nothing."""
        if not self._heeds:
            return
        with self._lock:
            kept = self._kept
            failed = {path for path, value in wishes.items() if path in kept.dropped and kept.dropped[path] == value}
            _, taken, refused = with_wishes(self._file, {path: wishes[path] for path in wishes if path not in failed})
            refused |= dict.fromkeys(failed, f"dropped: {kept.why}; want something else")
            self._note_refused(refused)
            if (revision, taken) == (kept.revision, kept.wishes):
                return
            other = taken != kept.wishes
            update: dict[str, Any] = {"revision": revision, "wishes": taken}
            self._keep(kept.model_copy(update=update | ({"starts": 1} if other else {})))
            if not other:
                return
            self._tell(EventKind.SETTINGS_CHANGED, _words(kept.wishes, taken), {"revision": revision})
            self._settle()
        self._changed()

    def take_file(self, file: DeviceSettings) -> None:
        """The technician has changed the file."""
        with self._lock:
            self._file = file
            self._settle()
        self._changed()

    def prove(self, settings: DeviceSettings) -> None:
        """A picture has been measured with ``settings``."""
        with self._lock:
            if settings is self.running and self._kept.wishes != self._kept.proven:
                self._keep(self._kept.model_copy(update={"proven": self._kept.wishes, "starts": 0}))

    def fail(self, reason: str) -> bool:
        """What runs cannot be begun with: drop what is not proven. Whether that makes a difference."""
        with self._lock:
            if self._kept.wishes == self._kept.proven:
                return False
            self._drop(reason)
            self._settle()
            return True

    def stop(self) -> None:
        """A stop in order is no failure."""
        with self._lock:
            if self._kept.starts:
                self._keep(self._kept.model_copy(update={"starts": 0}))

    def untold(self) -> list[Told]:
        """Events that are to be recorded: kind, message, detail."""
        with self._lock:
            told, self._untold = self._untold, []
            return told

    @property
    def revision(self) -> int:
        """That of the fleet's last word."""
        return self._kept.revision

    def in_force(self) -> Wishes:
        """What the fleet may change, as it runs."""
        return of_fleet(self.running)

    def document(self) -> dict[str, Any]:
        """Everything, for a technician: no secrets."""
        kept = self._kept
        return {
            "running": self.running.model_dump(mode="json"),
            "revision": kept.revision,
            "wanted": kept.wishes,
            "on_trial": kept.wishes != kept.proven,
            "refused": self.refused,
        }

    def _drop(self, why: str) -> None:
        kept = self._kept
        failed = {path: value for path, value in kept.wishes.items() if kept.proven.get(path, _NOTHING) != value}
        log.error("what the fleet wanted is dropped (%s): %s", ", ".join(failed), why)
        self._tell(EventKind.SETTINGS_REFUSED, f"dropped {_words(kept.proven, kept.wishes)}: {why}", {})
        self._keep(kept.model_copy(update={"wishes": kept.proven, "starts": 0, "dropped": failed, "why": why}))
        self.refused = dict.fromkeys(failed, f"dropped: {why}; want something else")

    def _settle(self) -> None:
        """Put together what runs. A wish that the file no longer allows is not in it."""
        self.running, _, unfit = with_wishes(self._file, self._kept.wishes)
        self._note_refused(self.refused | unfit)
        self.version += 1

    def _note_refused(self, refused: dict[str, str]) -> None:
        if refused == self.refused:
            return
        for path, reason in refused.items():
            if self.refused.get(path) != reason:
                log.warning("the fleet wants %s, which is refused: %s", path, reason)
                self._tell(EventKind.SETTINGS_REFUSED, f"{path} is refused: {reason}", {"path": path})
        self.refused = refused
        self.version += 1

    def _keep(self, kept: Kept) -> None:
        """A disk that takes nothing must not keep the device from measuring."""
        self._kept = kept
        self.version += 1
        try:
            write_whole(self._file.state_dir / WANTED_FILE, kept.model_dump_json().encode())
        except OSError as error:
            log.error("what the fleet wants cannot be kept over a restart: %s", error)  # noqa: TRY400

    def _tell(self, kind: EventKind, message: str, detail: dict[str, str | int | float | bool | None]) -> None:
        self._untold.append((kind, message, detail))


_NOTHING = object()


def _words(before: Wishes, after: Wishes) -> str:
    """What has changed, for a person."""
    changes = [f"{path} = {value}" for path, value in after.items() if before.get(path, _NOTHING) != value]
    changes += [f"{path} as the file has it" for path in before if path not in after]
    return "; ".join(changes)
