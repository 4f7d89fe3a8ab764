"""The slots on the disk: ``state_dir/models`` with a folder for each slot and one file that says which of them runs.

The file is replaced as a whole: written beside, flushed, renamed, and the folder flushed. So after a power cut at any
instant it is the old one or the new one.
"""

import errno
import logging
from pathlib import Path

from pydantic import ValidationError

from edge.disk import write_whole
from edge.errors import StoreError, StoreFull
from edge.update.slots import Slot, Slots

FOLDER = "models"
SLOTS_FILE = "slots.json"
MAX_BYTES = 1_000_000

log = logging.getLogger(__name__)


class SlotStore:
    """Reads and replaces the state of the slots. One process at a time may write: who holds ``edge.lock``'s lock.

    Args:
        state_dir: the device's.
        factory: the package in the configuration.
    """

    def __init__(self, state_dir: Path, factory: Path) -> None:
        self.folder = state_dir / FOLDER
        self._factory = factory

    def path(self, slot: Slot) -> Path:
        """Where a slot's package lies."""
        return self._factory if slot is Slot.FACTORY else self.folder / slot.value

    def read(self, *, put_aside: bool = False) -> Slots:
        """The state; that of a new device if nothing was ever written.

        With a file that cannot be understood the factory's package runs, and a fleet that wants another one sends it
        again. ``put_aside`` keeps it under another name, for whoever wants to know; that is for the daemon alone.

        Raises:
            StoreError: the file is there and cannot be read.
        """
        path = self.folder / SLOTS_FILE
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES)
        except FileNotFoundError:
            return Slots()
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error}; see to the rights and to the disk") from error
        try:
            return Slots.model_validate_json(content)
        except ValidationError as error:
            log.error("%s is damaged; the configured package runs: %s", path, error)  # noqa: TRY400
            if put_aside:
                self._put_aside(path)
            return Slots()

    def write(self, slots: Slots) -> None:
        """Replace the state; on return it is on the disk.

        Raises:
            StoreFull: there is no room.
            StoreError: it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / SLOTS_FILE, slots.encode())
        except OSError as error:
            kind = StoreFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else StoreError
            raise kind(f"cannot write {self.folder / SLOTS_FILE}: {error}; make room there") from error

    @staticmethod
    def _put_aside(path: Path) -> None:
        try:
            path.replace(path.with_suffix(".damaged"))
        except OSError as error:
            log.warning("%s cannot be renamed: %s", path, error)
