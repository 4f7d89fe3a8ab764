"""The thread that looks at the rules, writes down what follows, and has people told."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

from fleet.alerts import book
from fleet.alerts.facts import facts
from fleet.alerts.notify import Notifier, message
from fleet.alerts.settings import AlertSettings
from fleet.alerts.standing import look
from fleet.errors import FleetError
from fleet.store import Store
from fleet.troubles import Troubles

SETTLE_S = 60.0
"""After the service has come back every device looks silent until it has said something."""

log = logging.getLogger(__name__)


class Watch:
    """Looks every ``every_s``, as long as messages can arrive: a fleet that hears nothing knows nothing.

    Args:
        store: the fleet's.
        settings: the rules, and who is told.
        hears: whether messages can arrive now.
        settle_s: how long after they can it looks for the first time.
    """

    def __init__(
        self, store: Store, settings: AlertSettings, hears: Callable[[], bool], settle_s: float = SETTLE_S
    ) -> None:
        self._store, self._settings, self._hears = store, settings, hears
        self._notifier = Notifier(settings.notify)
        self._settle_s = settle_s
        self._heard_since_s: float | None = None
        self._troubles = Troubles(log)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_until_stopped, name="alerts", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Finish the look under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _look_until_stopped(self) -> None:
        while not self._stopping.wait(self._settings.every_s):
            with self._troubles.told_once("alerts"):
                if self._settled():
                    now = datetime.now(timezone.utc)
                    self.look(now)
                    self.tell(now)

    def _settled(self) -> bool:
        if not self._hears():
            self._heard_since_s = None
            return False
        self._heard_since_s = time.monotonic() if self._heard_since_s is None else self._heard_since_s
        return time.monotonic() - self._heard_since_s >= self._settle_s

    def look(self, now: datetime) -> None:
        """Bring the alerts up to date.

        Raises:
            StoreError: they are as they were.
        """
        with self._store.reading() as connection:
            known, found = book.standing(connection), facts(connection, now)
        result = look(known, found, self._settings.rules, now)
        if result.alerts != known:
            with self._store.writing() as connection:
                book.keep(connection, result, now)
        for alert in result.raised:
            log.warning("%s: %s", alert.subject, alert.told)

    def tell(self, now: datetime) -> None:
        """Have people told what they do not know yet; who cannot be reached is tried again at the next look."""
        if not len(self._notifier):
            return
        with self._store.reading() as connection:
            raised, cleared = book.unannounced(connection, now), book.unannounced_ends(connection)
        if not raised and not cleared:
            return
        if not self._notifier.send(*message(raised, cleared, self._settings)):
            raise FleetError("not every address of CANOPY_NOTIFY took the message; trying again")
        with self._store.writing() as connection:
            book.note_announced(connection, raised, now)
