"""The thread that opens retrainings by policy, lays out their frames, and goes on once people have labelled them."""

import logging
import threading
from datetime import datetime, timezone

from fleet import audit
from fleet.errors import NotPossible
from fleet.retrain import book, frames, steps
from fleet.retrain.book import Retraining, Stage
from fleet.retrain.reason import reasons, seen_lately
from fleet.settings import FleetSettings
from fleet.store import Store
from fleet.troubles import Troubles

EVERY_S = 600.0
FRAMES, LABELLED = "frames", "labelled.json"
"""In a retraining's folder: the pictures with pre-labels, and among them the labels that people made of these."""

log = logging.getLogger(__name__)


class Retrainer:
    """Looks every ten minutes. Training takes hours; meanwhile it looks at nothing else."""

    def __init__(self, store: Store, settings: FleetSettings) -> None:
        self._store, self._settings = store, settings
        self._stopping = threading.Event()
        self._troubles = Troubles(log)
        self._tried: dict[str, float] = {}
        self._thread = threading.Thread(target=self._look_until_stopped, name="retrainings", daemon=True)

    def start(self) -> None:
        """Begin, if the policy is not ``off``."""
        if self._settings.retrain.automatic != "off":
            self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End what runs; a training goes on from there another time."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def look(self, now: datetime) -> None:
        """Do what the policy says at a moment."""
        self._propose(now)
        with self._store.reading() as connection:
            waiting = [case for case in book.listed(connection) if case.stage is Stage.PROPOSED]
        for case in waiting:
            with self._troubles.told_once(case.name):
                self._lay_out(case)
                if self._settings.retrain.automatic == "roll_out":
                    self._go_on(case)

    def _look_until_stopped(self) -> None:
        while not self._stopping.is_set():
            with self._troubles.told_once("retrainings"):
                self.look(datetime.now(timezone.utc))
            self._stopping.wait(EVERY_S)

    def _propose(self, now: datetime) -> None:
        asked = self._settings.retrain
        with self._store.reading() as connection:
            due = [
                reason
                for reason in reasons(seen_lately(connection, now), asked.least_days, now.date())
                if frames.frames_of(connection, reason) >= asked.least_frames
            ]
        for reason in due:
            with self._troubles.told_once(reason.model):
                try:
                    with self._store.writing() as connection:
                        case = book.propose(connection, reason, audit.SERVICE, now)
                except NotPossible:  # one is open
                    continue
                log.info("retraining %s is proposed: %s", case.name, case.why)

    def _lay_out(self, case: Retraining) -> None:
        out = self._settings.retrain_folder / case.name / FRAMES
        if out.exists():
            return
        with self._store.reading() as connection:
            built = frames.lay_out(
                connection, self._settings.frames_folder, case, self._settings.retrain.history_days, out
            )
        with self._store.writing() as connection:
            frames.note_laid_out(connection, case, built, audit.SERVICE)
        log.info("%d frames wait for labels in %s; export them as COCO to %s there", built.images, out, LABELLED)

    def _go_on(self, case: Retraining) -> None:
        labels = self._settings.retrain_folder / case.name / FRAMES / LABELLED
        if not labels.is_file() or self._tried.get(case.name) == labels.stat().st_mtime:
            return
        self._tried[case.name] = labels.stat().st_mtime
        steps.run(self._store, self._settings, case.name, labels, audit.SERVICE, log.info, self._stopping)
