"""What a certificate authority needs every day: a list of what is revoked, its own certificate, and a word in time."""

import logging
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge.contract.enrolment import RENEW_AT
from fleet import audit
from fleet.ca import enrolment
from fleet.ca.folder import CaFolder, days_left, read_certificate
from fleet.errors import FleetError
from fleet.store import Store

EVERY_S = 3_600.0
FLEET_LIFE = timedelta(days=90)
WARN_DAYS = 45
AUTHORITY_WARN_DAYS = 365

log = logging.getLogger(__name__)


def write_revocations(store: Store, folder: CaFolder) -> None:
    """Write the list anew if something else stands in the store: whoever watches the file sees revocations only.

    Raises:
        FleetError: the store or the authority cannot be used.
    """
    with store.reading() as connection:
        found = enrolment.revoked(connection)
    if {serial for serial, _ in found} != folder.listed():
        folder.write_crl(found, datetime.now(timezone.utc))


def ensure_fleet(folder: CaFolder, now: datetime) -> bool:
    """Make or renew the service's own certificate towards the broker if it is time; whether it was.

    Raises:
        AuthorityError: it cannot be made.
    """
    if folder.fleet.exists():
        own = read_certificate(folder.fleet)
        life = own.not_valid_after_utc - own.not_valid_before_utc
        issued_by_this = own.issuer == folder.issuer().certificate.subject
        if issued_by_this and now < own.not_valid_before_utc + RENEW_AT * life:
            return False
    folder.write_fleet(audit.SERVICE, FLEET_LIFE, now)
    return True


class Upkeep:
    """Does it at the start and every hour, in a thread of its own, and says each trouble once a day.

    Args:
        store: where revocations stand.
        folder: the authority.
        watched: certificates of servers whose end shall be told in time.
    """

    def __init__(self, store: Store, folder: CaFolder, watched: list[Path]) -> None:
        self._store, self._folder, self._watched = store, folder, watched
        self._stopping = threading.Event()
        self._told: dict[str, datetime] = {}
        self._thread = threading.Thread(target=self._run, name="ca-upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def look(self, now: datetime) -> None:
        """One round."""
        try:
            write_revocations(self._store, self._folder)
            ensure_fleet(self._folder, now)
            for path in self._watched:
                self._warn(f"the certificate {path}", days_left(read_certificate(path)), WARN_DAYS, now)
            issuing = days_left(self._folder.issuer().certificate)
            self._warn("the issuing certificate", issuing, AUTHORITY_WARN_DAYS, now)
        except FleetError as error:
            self._tell(str(error), now)

    def _warn(self, what: str, days: int, limit: int, now: datetime) -> None:
        if days < limit:
            self._tell(
                f"{what} ends in {days} days, and then nothing connects: canopy-fleet ca status says what to do", now
            )

    def _tell(self, what: str, now: datetime) -> None:
        before = self._told.get(what)
        if before is None or now - before > timedelta(days=1):
            self._told = {what: now} if len(self._told) > 100 else {**self._told, what: now}
            log.error("%s", what)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look(datetime.now(timezone.utc))
            except Exception:
                log.exception("the authority could not be looked after")
            self._stopping.wait(EVERY_S)
