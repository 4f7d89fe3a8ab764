"""What an order makes of the slots, and when an attempt is due. Pure."""

from edge.contract.control import ModelRef, Phase, numbers
from edge.contract.records import Clock
from edge.update.slots import Order, Slot, Slots, Update


def obey(slots: Slots, order: Order, factory: ModelRef | None) -> Slots:
    """Go by ``order`` from now on: back at once if it says so; forward is begun when it is due.

    An update that is not wanted any more is left, unless it measures already: then its probation is seen to its end.
    One that is still wanted goes on, from where it comes already, with the new order's window and patience.

    Args:
        slots: as they are.
        order: what is wanted.
        factory: what the configured package calls itself.
    """
    wanted, update = order.wanted, slots.busy
    slots = slots.ordered(order)
    if order.back:
        return _gone_back(slots, wanted.model if wanted else None, factory)
    if update and wanted and update.model == wanted.model:
        return slots.goes_on(order)
    return slots.abandoned() if update and update.phase is not Phase.ACTIVE else slots


def _gone_back(slots: Slots, model: ModelRef | None, factory: ModelRef | None) -> Slots:
    """Back to the model before, or to the one that is named: from the slot that holds it, else as an update."""
    if model is None:
        return slots.gone_back()
    holds = {slot: slots.ref(slot, factory) for slot in Slot}
    there = [slot for slot, ref in holds.items() if ref and ref.digest == model.digest]
    if slots.active in there or not there:
        return slots.abandoned() if slots.busy and slots.busy.phase is not Phase.ACTIVE else slots
    return slots.gone_back(there[0])


def due(slots: Slots, active: ModelRef | None) -> Order | None:
    """The order for which an attempt is to be made, if one is.

    What was rolled back is not tried again for the same order: it has measured, and it has measured badly.

    Args:
        slots: as they are, with no update under way.
        active: the model that is to run.
    """
    order, update = slots.order, slots.update
    if order is None or order.wanted is None:
        return None
    digest = order.wanted.model.digest
    if (active and active.digest == digest) or slots.refuses(digest):
        return None
    return None if update and update.phase is Phase.ROLLED_BACK and update.order.is_same(order) else order


def is_older(model: ModelRef, than: ModelRef) -> bool:
    """Whether it is an earlier version of the same model."""
    return model.name == than.name and numbers(model.version) < numbers(than.version)


def is_late(update: Update, now: Clock) -> bool:
    """Whether the fleet's patience has ended. Over a reboot the wall clock tells, if it was right and is."""
    wanted, begun = update.order.wanted, update.begun
    if wanted is None:
        return False
    if begun.boot_id == now.boot_id:
        return now.monotonic_s - begun.monotonic_s >= wanted.give_up_after_s
    return begun.clock_ok and now.clock_ok and (now.at - begun.at).total_seconds() >= wanted.give_up_after_s
