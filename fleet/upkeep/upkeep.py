"""What the store needs while it runs: roll-ups, parts for the time to come, and letting go of old readings.

Each step is a short transaction of its own, so the ingest never waits long; several services may do it at once.
"""

import logging
import threading
from datetime import datetime, timedelta, timezone

from fleet.errors import StoreError
from fleet.settings import StoreSettings
from fleet.store import Store
from fleet.upkeep.partitions import extend
from fleet.upkeep.retention import let_readings_go
from fleet.upkeep.rollups import roll_up

log = logging.getLogger(__name__)

_EVERY_S = 20.0
_STEPS = 200
"""Transactions for one look, so that stopping never waits for a large backlog."""


class Upkeep:
    """The thread that looks after the store."""

    def __init__(self, store: Store, settings: StoreSettings) -> None:
        self._store, self._settings = store, settings
        self._stopping = threading.Event()
        self._concern = ""
        self._thread = threading.Thread(target=self._look_until_stopped, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Finish the transaction under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _look_until_stopped(self) -> None:
        while not self._stopping.wait(0 if not self._concern else _EVERY_S):
            try:
                look_after(self._store, self._settings, datetime.now(timezone.utc), self._stopping)
                self._concern = ""
            except StoreError as error:
                if str(error) != self._concern:
                    log.error("the store cannot be looked after, trying again: %s", error)  # noqa: TRY400
                self._concern = str(error)
            if self._stopping.wait(_EVERY_S):
                return


def look_after(store: Store, settings: StoreSettings, now: datetime, stopping: threading.Event) -> None:
    """Do what is due at a moment.

    Raises:
        StoreError: the store cannot be used now.
    """
    with store.writing() as connection:
        extend(connection, now)
    for _ in range(_STEPS):
        with store.writing() as connection:
            if not roll_up(connection, now) or stopping.is_set():
                break
    if settings.keep_readings_days is None:
        return
    before = (now - timedelta(days=settings.keep_readings_days)).replace(minute=0, second=0, microsecond=0)
    for _ in range(_STEPS):
        with store.writing() as connection:
            if not let_readings_go(connection, before) or stopping.is_set():
                break
