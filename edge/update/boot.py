"""Which model a daemon begins with: the active slot's, or the next one that can be opened."""

import logging

from edge.errors import ModelError, PackageInvalid, StoreError
from edge.model import LoadedModel, Model
from edge.settings import InferenceSettings
from edge.update.ledger import Ledger
from edge.update.slots import Slot
from edge.update.slotstore import SlotStore

log = logging.getLogger(__name__)


def note_start(ledger: Ledger) -> None:
    """Count this start before anything is loaded: what is loaded may end the process."""
    try:
        ledger.turn(ledger.slots.started())
    except StoreError as error:
        log.error("%s; a model that ends the daemon would not be noticed", error)  # noqa: TRY400


def run_active(ledger: Ledger, store: SlotStore, model: Model, inference: InferenceSettings) -> None:
    """Load what is to run and switch to it. A slot whose package cannot be opened is left for what comes after it.

    Raises:
        ModelError: nothing can be opened, not even the factory's package; what ran before, if anything, goes on.
    """
    lost: dict[Slot, ModelError] = {}
    for slot in ledger.slots.candidates():
        try:
            model.switch(load(store, slot, ledger, inference))
        except ModelError as error:
            lost[slot] = error
        else:
            break
    why_no_factory = lost.pop(Slot.FACTORY, None)
    for slot, why in lost.items():
        log.error("slot %s cannot be used any more: %s", slot.value, why)
        _leave(ledger, slot, str(why))
    if why_no_factory is not None:
        raise why_no_factory


def _leave(ledger: Ledger, slot: Slot, reason: str) -> None:
    """Note that a slot is lost; a disk that takes nothing must not keep the device from measuring."""
    try:
        ledger.turn(ledger.slots.without(slot, reason))
    except StoreError as error:
        log.error("that slot %s is lost cannot be noted: %s", slot.value, error)  # noqa: TRY400


def load(store: SlotStore, slot: Slot, ledger: Ledger, inference: InferenceSettings) -> LoadedModel:
    """Open what a slot holds, verified, and see that it is what the slots say.

    Raises:
        ModelError: it cannot be opened, or is another package.
    """
    loaded = LoadedModel.load(store.path(slot), inference)
    held = ledger.slots.ref(slot)
    if slot is not Slot.FACTORY and (held is None or held.digest != loaded.package.digest):
        raise PackageInvalid(f"{store.path(slot)} holds {loaded.ref}, not {held}; update again, or roll back")
    return loaded
