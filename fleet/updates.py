"""The update repository beside the service: what it offers, and its online signatures, kept fresh by a timer.

The service serves ``public/`` below ``/updates/``, as any static host could. It never publishes: that is done by people
with keys (``canopy-fleet repo``). It only signs snapshot and timestamp again before they run out, if their keys are at
hand.
"""

import logging
import os
import threading
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError
from tuf.api.metadata import Targets

from edge.contract.control import Release
from fleet.repository.change import delegated_roles
from fleet.repository.folder import RepositoryFolder
from fleet.repository.issue import refresh
from fleet.repository.ring import KeyRing
from fleet.troubles import Troubles

log = logging.getLogger(__name__)

PASSPHRASE_VARIABLE = "CANOPY_KEY_PASSPHRASE"  # noqa: S105 - the name of it
EVERY_S = 600.0


def offered(repository: Path) -> dict[str, frozenset[str]]:
    """For which hardware each model is published now, by the model's digest.

    Raises:
        RepositoryError: the repository is damaged.
    """
    folder = RepositoryFolder(repository)
    targets = folder.delegated(Targets.type)
    found: dict[str, set[str]] = defaultdict(set)
    for hardware in delegated_roles(targets.signed) if targets is not None else ():
        role = folder.delegated(hardware)
        for target in role.signed.targets.values() if role is not None else ():
            try:
                release = Release.model_validate(target.custom)
            except ValidationError:
                continue  # signed, but no model: not ours to judge here
            found[release.model.digest].add(release.hardware)
    return {digest: frozenset(names) for digest, names in found.items()}


class OnlineSignatures:
    """The thread that keeps snapshot and timestamp from running out."""

    def __init__(self, repository: Path) -> None:
        self._folder = RepositoryFolder(repository)
        self._stopping = threading.Event()
        self._troubles = Troubles(log)
        self._thread = threading.Thread(target=self._refresh_until_stopped, name="online-signatures", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Finish the file under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _refresh_until_stopped(self) -> None:
        while True:
            self._refresh()
            if self._stopping.wait(EVERY_S):
                return

    def _refresh(self) -> None:
        """Devices go on with what they have until it expires."""
        with self._troubles.told_once("the signatures of the update repository"), self._folder.locked():
            ring = KeyRing.of(self._folder, (), lambda _: os.environ.get(PASSPHRASE_VARIABLE, ""))
            written = refresh(self._folder, ring, datetime.now(timezone.utc))
            if written:
                log.info("signed %s of the update repository anew", ", ".join(written))
