"""What models a device holds, for people: each slot with what stands in it, and whether it is whole."""

from pathlib import Path

from edge.contract.control import ModelRef
from edge.contract.message import Wire
from edge.errors import ConfigError, ModelError
from edge.package import ModelPackage, peek
from edge.settings import DeviceSettings
from edge.update.slots import Slot, Slots
from edge.update.slotstore import SlotStore


class Held(Wire):
    """One slot. ``trouble`` is empty if its package is whole and what the slots say."""

    slot: Slot
    model: ModelRef | None
    path: Path
    active: bool
    fallback: bool
    trouble: str = ""


def inventory(settings: DeviceSettings) -> tuple[Slots, list[Held]]:
    """Every slot, its files held against its manifest.

    Raises:
        StoreError: the slots' state cannot be read.
    """
    store = SlotStore(settings.state_dir, settings.inference.package)
    slots = store.read()
    return slots, [_held(store, slots, slot) for slot in Slot]


def find(settings: DeviceSettings, which: str) -> Held:
    """The slot that is named, or holds the named version; empty: the active one.

    Raises:
        ConfigError: there is none.
    """
    _, holdings = inventory(settings)
    for held in holdings:
        if held.active if not which else which in {held.slot.value, held.model.version if held.model else None}:
            return held
    there = ", ".join(f"{held.slot.value} ({held.model.version})" for held in holdings if held.model)
    raise ConfigError(f"no slot holds {which}; there are {there or 'none'}")


def _held(store: SlotStore, slots: Slots, slot: Slot) -> Held:
    path = store.path(slot)
    said = slots.ref(slot, peek(path))
    trouble = ""
    if said is not None:
        try:
            found = ModelPackage.open(path).ref
            trouble = "" if found == said else f"holds {found.name} {found.version}, another package"
        except ModelError as error:
            trouble = str(error)
    return Held(
        slot=slot,
        model=said,
        path=path,
        active=slots.active is slot,
        fallback=slots.fallback is slot,
        trouble=trouble,
    )
