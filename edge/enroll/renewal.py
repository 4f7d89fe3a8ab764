"""Renews the certificate in time, in a thread of its own, however long the fleet is away."""

import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge.clock import utc_now
from edge.enroll import talk
from edge.enroll.identity import Identity, IdentityFolder
from edge.errors import FleetUnreachable, IdentityError

LOOK_EVERY_S = 3_600.0
TOLD_EVERY = 24

log = logging.getLogger(__name__)


class Renewal:
    """Looks every hour whether it is time (``Identity.renew_at``), and asks until there is an answer.

    A third of the certificate's life is left for that; a refusal is asked about again, too: somebody may mend it.

    Args:
        state_dir: of the device.
        told: called with what a person should know: that it was renewed, or why not.
        look_every_s: how long to wait between looks.
    """

    def __init__(self, state_dir: Path, told: Callable[[str], None], look_every_s: float = LOOK_EVERY_S) -> None:
        self._folder = IdentityFolder(state_dir)
        self._told = told
        self._look_every_s = look_every_s
        self._stopping = threading.Event()
        self._trouble, self._in_vain = "", 0
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and do not wait: a question under way may take half a minute, and changes nothing."""
        self._stopping.set()

    def look(self, now: datetime) -> Identity | None:
        """Renew if it is time; the certificate that was got, if any."""
        try:
            old = self._folder.read()
            if old is None or now < old.renew_at:
                return None
            new = talk.renew(self._folder, old)
        except (IdentityError, OSError) as error:
            self._note(error)
            return None
        self._trouble, self._in_vain = "", 0
        self._told(f"the certificate of {new.name} was renewed until {new.expires_at:%F}")
        return new

    def _note(self, error: Exception) -> None:
        """Say a trouble once, and again every day that it lasts."""
        self._in_vain += 1
        if str(error) != self._trouble or self._in_vain % TOLD_EVERY == 0:
            log.log(
                logging.WARNING if isinstance(error, FleetUnreachable) else logging.ERROR,
                "the certificate cannot be renewed now and is asked for again: %s", error,
            )  # fmt: skip
        self._trouble = str(error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look(utc_now())
            except Exception:
                log.exception("the certificate could not be looked after")
            self._stopping.wait(random.uniform(0.5, 1.0) * self._look_every_s)
