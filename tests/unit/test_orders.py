"""What an order makes of the slots, whatever is under way."""

from datetime import timedelta

import pytest

from edge.clock import read_clock
from edge.contract.control import Failure, Phase, Wanted
from edge.update.orders import due, is_late, is_older, obey
from edge.update.slots import MAX_ATTEMPTS, STEPS, Order, Slot, Slots
from tests.unit.test_slots import come_to, order, ref

FACTORY = ref(9)
BEFORE_THE_SWITCH = [phase for phase in STEPS if phase is not Phase.ACTIVE]


@pytest.mark.parametrize("phase", BEFORE_THE_SWITCH)
def test_another_order_leaves_what_does_not_measure_yet(phase):
    busy = come_to(phase, 2)
    assert obey(busy, order(3), FACTORY).busy is None
    assert obey(busy, Order(revision=3), FACTORY).busy is None


@pytest.mark.parametrize("phase", STEPS)
def test_the_same_model_goes_on_under_the_new_order(phase):
    busy = come_to(phase, 2)
    patient = order(2).model_copy(update={"revision": 8, "wanted": order(2).wanted.model_copy(update={"rollout": "r"})})
    goes_on = obey(busy, patient, FACTORY).busy
    assert (goes_on.phase, goes_on.begun, goes_on.order) == (phase, busy.busy.begun, patient)


def test_another_order_lets_a_probation_come_to_its_end():
    busy = come_to(Phase.ACTIVE, 2)
    assert obey(busy, order(3), FACTORY).busy == busy.busy
    assert obey(busy, Order(revision=3), FACTORY).busy == busy.busy


@pytest.mark.parametrize("phase", STEPS)
def test_the_way_back_is_taken_from_every_phase(phase):
    slots = obey(come_to(phase, 2, come_to(Phase.CONFIRMED, 1)), Order(revision=3, back=True), FACTORY)
    assert slots.busy is None
    assert slots.active is (Slot.A if phase is Phase.ACTIVE else Slot.FACTORY), "the other slot was being overwritten"


def test_the_way_back_to_a_named_model_is_from_where_it_is():
    slots = come_to(Phase.CONFIRMED, 2, come_to(Phase.CONFIRMED, 1))
    named = {number: order(number).model_copy(update={"back": True}) for number in (1, 2, 7, 9)}
    assert obey(slots, named[1], FACTORY).active is Slot.A
    assert obey(slots, named[9], FACTORY).active is Slot.FACTORY
    assert obey(slots, named[2], FACTORY).active is Slot.B, "it runs already"
    away = obey(slots, named[7], FACTORY)
    assert (away.active, due(away, ref(2))) == (Slot.B, named[7]), "nothing holds it: it comes as an update"


def test_an_attempt_is_due_until_it_runs_is_refused_or_was_rolled_back():
    slots = Slots().ordered(order(2))
    assert due(Slots(), FACTORY) is None
    assert due(slots, FACTORY) == order(2)
    assert due(slots, ref(2)) is None
    once = come_to(Phase.TESTING, 2, slots).refused(Failure.REJECTED, "slow")
    assert due(once, FACTORY) == order(2)
    for _ in range(MAX_ATTEMPTS - 1):
        once = come_to(Phase.TESTING, 2, once).refused(Failure.REJECTED, "slow")
    assert due(once, FACTORY) is None
    back = come_to(Phase.ACTIVE, 2, slots).rolled_back("blind")
    assert due(back, FACTORY) is None
    assert due(back.ordered(order(2).model_copy(update={"revision": 3})), FACTORY) is not None


def test_versions_are_numbers_and_of_one_model():
    assert is_older(ref(9), ref(10))
    assert not is_older(ref(10), ref(9))
    assert not is_older(ref(9).model_copy(update={"name": "fruit"}), ref(10))


def test_patience_is_counted_by_the_clock_that_can_be_believed():
    now = read_clock()
    wanted = Wanted(model=ref(2), target="cpu/green.zip", give_up_after_s=100)
    update = Slots().begun(Order(wanted=wanted), ref(2), now).update
    later = {"monotonic_s": now.monotonic_s + 101}
    assert not is_late(update, now.model_copy(update={"at": now.at + timedelta(days=9)}))
    assert is_late(update, now.model_copy(update=later))
    rebooted = {"boot_id": "another", "monotonic_s": 1.0, "clock_ok": True}
    began = update.model_copy(update={"begun": now.model_copy(update={"clock_ok": True})})
    assert is_late(began, now.model_copy(update={**rebooted, "at": now.at + timedelta(seconds=101)}))
    assert not is_late(began, now.model_copy(update={**rebooted, "at": now.at + timedelta(seconds=99)}))
    lying = {**rebooted, "at": now.at + timedelta(days=9), "clock_ok": False}
    assert not is_late(began, now.model_copy(update=lying))
