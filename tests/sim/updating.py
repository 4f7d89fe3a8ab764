"""A device reduced to what updates touch: its model, what its loop sees, its slots and its updater, all real."""

import threading
import time
from pathlib import Path
from typing import Any

from edge.clock import monotonic_s
from edge.contract.control import Desired, Phase, Reported, Wanted
from edge.contract.records import EventKind
from edge.errors import ModelError
from edge.model import Model
from edge.package import peek
from edge.preprocess import fit
from edge.settings import DeviceSettings
from edge.sights import Finding, Sight, Sights
from edge.update.boot import note_start, run_active
from edge.update.ledger import Ledger
from edge.update.probation import Reading
from edge.update.request import is_held
from edge.update.slotstore import SlotStore
from edge.update.updater import Updater
from tests.sim.fleet_repository import HARDWARE
from tests.sim.versions import pot_pictures

QUICK: dict[str, Any] = {
    "hardware": HARDWARE,
    "recent_pictures": 3,
    "recent_every_s": 0,
    "shadow_share": 1,
    "shadow_pictures": 0,
    "shadow_s": 0,
    "probation_s": 0.3,
    "probation_pictures": 3,
    "retry_after_s": 0.2,
    "reserve_bytes": 0,
}
ENDS_WITHIN_S = 30.0
ENDS = {Phase.CONFIRMED, Phase.REFUSED, Phase.ROLLED_BACK}


def device_settings(state_dir: Path, factory: Path, root: Path, **update: Any) -> DeviceSettings:
    """The settings of a device that takes updates quickly."""
    return DeviceSettings.model_validate({
        "site": "gh",
        "device": "cam",
        "state_dir": state_dir,
        "inference": {"package": factory},
        "cameras": [{"name": "top", "source": {"kind": "folder", "path": "none"}}],
        "mqtt": None,
        "update": {**QUICK, "root": root, **update},
    })  # fmt: skip


class UpdatingDevice:
    """Starts with what the slots say, sees a picture every few milliseconds, and takes orders."""

    def __init__(self, settings: DeviceSettings) -> None:
        assert settings.update
        self.settings = settings
        self.store = SlotStore(settings.state_dir, settings.inference.package)
        self.events: list[tuple[EventKind, str]] = []
        self.phases: list[Phase | None] = []
        self.longest_gap_s = 0.0
        self.failed = 0
        self.model = Model(settings.inference)
        self.sights = Sights(settings.update.recent_pictures, settings.update.recent_every_s)
        self.ledger = Ledger(
            self.store,
            settings.update.hardware,
            lambda: peek(settings.inference.package),
            lambda: is_held(settings.state_dir),
            lambda kind, _camera, message, _detail: self.events.append((kind, message)),
        )
        self.updater = Updater(
            settings,
            settings.update,
            self.store,
            self.ledger,
            self.model,
            self.sights,
            read=self._read,
            forget=lambda: None,
        )
        self.pictures = pot_pictures(4)
        self._stopping = threading.Event()
        self._eye = threading.Thread(target=self._see, daemon=True)

    def start(self) -> "UpdatingDevice":
        note_start(self.ledger)
        run_active(self.ledger, self.store, self.model, self.settings.inference)
        self._eye.start()
        self.updater.start()
        return self

    def stop(self) -> None:
        self.updater.stop(ENDS_WITHIN_S)
        self.ledger.close()
        self._stopping.set()
        self._eye.join()

    def want(self, wanted: Wanted | None, revision: int, *, roll_back: bool = False) -> None:
        self.updater.hear(Desired(revision=revision, wanted=wanted, roll_back=roll_back))

    def wait_end(self, revision: int, timeout_s: float = ENDS_WITHIN_S) -> Reported:
        """Wait until the order with ``revision`` has come to an end."""
        give_up_at_s = time.monotonic() + timeout_s
        while True:
            told = self.updater.reported
            if not self.phases or self.phases[-1] is not told.phase:
                self.phases.append(told.phase)
            if told.revision == revision and told.phase in ENDS:
                return told
            assert time.monotonic() < give_up_at_s, told
            time.sleep(0.002)

    def _see(self) -> None:
        number, last_s = 0, time.monotonic()
        while not self._stopping.is_set():
            picture = self.pictures[number % len(self.pictures)]
            number += 1
            try:
                self._look(picture)
            except ModelError:
                self.failed += 1
            self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - last_s)
            last_s = time.monotonic()
            time.sleep(0.005)

    def _look(self, picture: Any) -> None:
        model = self.model.use()
        image, placement = fit(picture, model.manifest.input.height_px, model.manifest.input.width_px)
        finding = Finding.of(model.segment(image, placement), placement, model.manifest)
        self.sights.witness(Sight("top", monotonic_s(), model.package.digest, image[0][placement.region], finding))

    def _read(self) -> Reading:
        seen = self.sights.seen
        return Reading(
            at_s=monotonic_s(),
            captured=seen.pictures + self.failed,
            processed=seen.pictures,
            failed=self.failed,
            seen=seen,
            step_ms=None,
            rss_bytes=None,
        )
