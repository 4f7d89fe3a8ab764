"""What goes when the disk fills, and in which order: what nobody will miss first, what the fleet does not have never.

1. databases that were damaged and put aside, the oldest first;
2. engines but the newest: they are a cache, and are built again;
3. frames that were kept for training, the oldest first: a sample can miss some;
4. delivered records, which the fleet has.

Undelivered records are given up by ``outbox.max_bytes`` alone, oldest first and as a gap; what a disk takes nothing of
waits in memory. The journal has its own limit, and no other pictures are ever written.
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from edge.disk import free_bytes
from edge.engine.cache import PLAN_FILE
from edge.harvest.shelf import all_frames
from edge.outbox import OUTBOX_FILE, Outbox
from edge.settings import DeviceSettings
from edge.store import SIDE_FILES

FOREVER_S = float("inf")

log = logging.getLogger(__name__)


def make_room(settings: DeviceSettings, outbox: Outbox) -> None:
    """Give room back until ``storage.keep_free_bytes`` are free, or there is nothing left that may go.

    Raises:
        StoreError: the database refuses.
    """
    steps: tuple[Callable[[], bool], ...] = (
        lambda: _drop_oldest_aside(settings.data_dir),
        lambda: _drop_oldest_engine(settings.inference.engine.folder, settings.data_dir),
        lambda: _drop_oldest_frame(settings.state_dir, settings.data_dir),
    )
    for step in steps:
        while _is_short(settings) and step():
            pass
    if _is_short(settings) and outbox.stats().entries > outbox.stats().undelivered:
        log.warning("%s has little room left: delivered records are forgotten now", settings.data_dir)
        outbox.prune(now_s=FOREVER_S)


def _is_short(settings: DeviceSettings) -> bool:
    try:
        return free_bytes(settings.data_dir) < settings.storage.keep_free_bytes
    except OSError:
        return False


def _drop_oldest_aside(folder: Path) -> bool:
    aside = min(folder.glob(f"{OUTBOX_FILE}.corrupt-*Z"), default=None)
    if aside is None:
        return False
    log.warning("%s goes: its disk has little room left", aside)
    for suffix in SIDE_FILES:
        Path(f"{aside}{suffix}").unlink(missing_ok=True)
    return not aside.exists()


def _drop_oldest_engine(engines: Path | None, folder: Path) -> bool:
    """Only where they lie on the same disk: elsewhere their going would give no room here."""
    if engines is None or not engines.is_dir() or engines.stat().st_dev != folder.stat().st_dev:
        return False
    built = sorted(engines.glob(f"*/{PLAN_FILE}"), key=lambda plan: plan.stat().st_mtime)
    if len(built) < 2:
        return False
    log.warning("engine %s goes: its disk has little room left", built[0].parent)
    shutil.rmtree(built[0].parent, ignore_errors=True)
    return not built[0].exists()


def _drop_oldest_frame(state_dir: Path, folder: Path) -> bool:
    """Only where they lie on the same disk."""
    oldest = next(iter(all_frames(state_dir)), None)
    if oldest is None or state_dir.stat().st_dev != folder.stat().st_dev:
        return False
    log.warning("frame %s goes: its disk has little room left", oldest.path)
    oldest.drop()
    return True
