"""The state machine of the slots: from every state a crash leads to one with a slot that runs."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.clock import read_clock
from edge.contract.control import Failure, ModelRef, Phase, Wanted
from edge.update.slots import MAX_ATTEMPTS, MAX_CRASHES, MAX_FAILURES, STEPS, Order, Slot, Slots

AT = read_clock()
FAILURES = st.sampled_from([Failure.FAILED, Failure.REJECTED, Failure.TIMED_OUT])


def ref(number: int) -> ModelRef:
    return ModelRef(name="green", version=f"0.0.{number}", digest=f"sha256:{number:064x}")


def order(number: int, *, retry: bool = False) -> Order:
    return Order(revision=number, wanted=Wanted(model=ref(number), target="cpu/green.zip", retry=retry))


def come_to(phase: Phase, number: int = 1, slots: Slots | None = None) -> Slots:
    """The slots with an update in ``phase``."""
    slots = (slots or Slots()).begun(order(number), ref(number), AT)
    steps = (
        lambda each: each.cleared().staged(),
        lambda each: each.advanced(Phase.COMPILING),
        lambda each: each.advanced(Phase.TESTING),
        lambda each: each.advanced(Phase.SHADOW),
        Slots.activated,
        Slots.confirmed,
    )
    for step in steps:
        if slots.update.phase is phase:
            break
        slots = step(slots)
    assert slots.update.phase is phase
    return slots


def test_two_updates_take_turns_in_the_slots_and_the_one_before_is_the_fallback():
    first = come_to(Phase.CONFIRMED, 1)
    assert (first.active, first.fallback, first.free) == (Slot.A, Slot.FACTORY, Slot.B)
    second = come_to(Phase.CONFIRMED, 2, first)
    assert (second.active, second.fallback, second.free) == (Slot.B, Slot.A, Slot.A)
    assert second.held == {Slot.A: ref(1), Slot.B: ref(2)}
    back = second.went_back()
    assert (back.active, back.fallback, back.free) == (Slot.A, None, Slot.B)
    assert back.went_back().active is Slot.FACTORY


@pytest.mark.parametrize("phase", [phase for phase in STEPS if phase is not Phase.ACTIVE])
def test_what_runs_is_untouched_until_the_switch(phase):
    before = come_to(Phase.CONFIRMED, 1)
    during = come_to(phase, 2, before)
    assert (during.active, during.held[Slot.A]) == (Slot.A, ref(1))
    ended = during.refused(Failure.REJECTED, "blind")
    assert (ended.active, ended.busy, ended.update.phase) == (Slot.A, None, Phase.REFUSED)


def test_a_failed_probation_brings_back_what_ran_before_and_remembers_why():
    slots = come_to(Phase.ACTIVE, 2, come_to(Phase.CONFIRMED, 1)).rolled_back("sees no plants")
    assert (slots.active, slots.fallback, slots.update.phase) == (Slot.A, None, Phase.ROLLED_BACK)
    assert slots.failures[ref(2).digest].reason == "sees no plants"


def test_a_version_that_failed_twice_is_refused_until_somebody_asks_again():
    slots = Slots()
    for attempt in range(MAX_ATTEMPTS):
        assert slots.refuses(ref(1).digest) is None, attempt
        slots = come_to(Phase.TESTING, 1, slots).refused(Failure.REJECTED, "slow")
    assert slots.refuses(ref(1).digest).reason == "slow"
    assert slots.ordered(order(1)).refuses(ref(1).digest)
    assert slots.ordered(order(1, retry=True)).refuses(ref(1).digest) is None


def test_a_confirmed_version_is_forgiven():
    slots = come_to(Phase.TESTING, 1).refused(Failure.FAILED, "no room")
    assert come_to(Phase.CONFIRMED, 1, slots).failures == {}


def test_a_daemon_that_does_not_survive_its_new_model_goes_back_to_the_old_one():
    slots = come_to(Phase.ACTIVE, 2, come_to(Phase.CONFIRMED, 1))
    for _ in range(MAX_CRASHES - 1):
        slots = slots.started()
        assert slots.active is Slot.B
    slots = slots.started()
    assert (slots.active, slots.update.phase) == (Slot.A, Phase.ROLLED_BACK)
    assert "3 times" in slots.update.reason


def test_stops_and_starts_in_order_are_no_crashes():
    slots = come_to(Phase.ACTIVE)
    for _ in range(10):
        slots = slots.stopped().started()
    assert slots.busy.crashes == 0


@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.CONFIRMED])
def test_a_slot_whose_files_are_lost_is_left_for_what_ran_before(phase):
    slots = come_to(phase, 2, come_to(Phase.CONFIRMED, 1)).without(Slot.B, "altered")
    assert (slots.active, slots.held) == (Slot.A, {Slot.A: ref(1)})
    assert slots.without(Slot.A, "altered").active is Slot.FACTORY


def test_a_lost_fallback_is_none():
    slots = come_to(Phase.CONFIRMED, 2, come_to(Phase.CONFIRMED, 1)).without(Slot.A, "altered")
    assert (slots.active, slots.fallback, slots.candidates()) == (Slot.B, None, (Slot.B, Slot.FACTORY))


def test_no_step_is_left_out():
    with pytest.raises(ValueError, match="no update can become"):
        come_to(Phase.STAGED).advanced(Phase.SHADOW)
    with pytest.raises(ValueError, match="no update is shadow"):
        come_to(Phase.TESTING).activated()


def test_states_that_contradict_themselves_are_not_read():
    text = come_to(Phase.ACTIVE).model_dump_json(by_alias=True)
    assert Slots.model_validate_json(text) == come_to(Phase.ACTIVE)
    for altered in (
        text.replace('"active":"a"', '"active":"b"'),
        text.replace('"fallback":"factory"', '"fallback":"a"'),
    ):
        with pytest.raises(ValueError, match=r"runs|nothing|itself"):
            Slots.model_validate_json(altered)


class Life(RuleBasedStateMachine):
    """A device's slots under every order of steps, failures, stops, crashes and losses.

    ``whole`` is the truth about the folders: which slot holds which whole package now.
    """

    @initialize()
    def born(self) -> None:
        self.slots = Slots().started()
        self.whole: dict[Slot, ModelRef] = {}
        self.number = 0

    @property
    def phase(self) -> Phase | None:
        return self.slots.busy.phase if self.slots.busy else None

    @precondition(lambda self: not self.slots.busy)
    @rule(number=st.integers(1, 5))
    def begin(self, number: int) -> None:
        self.slots = self.slots.begun(order(number), ref(number), AT)

    @precondition(lambda self: not self.slots.busy and self.slots.fallback in {Slot.A, Slot.B})
    @rule()
    def begin_with_what_is_held(self) -> None:
        slot = self.slots.fallback
        self.slots = self.slots.begun(order(1), self.slots.held[slot], AT, held_in=slot)

    @precondition(lambda self: self.phase is Phase.DOWNLOADING)
    @rule(cut_off=st.booleans())
    def stage(self, cut_off: bool) -> None:
        self.slots = self.slots.cleared()
        self.whole.pop(self.slots.busy.slot, None)
        if not cut_off:
            self.whole[self.slots.busy.slot] = self.slots.busy.model
            self.slots = self.slots.staged()

    @precondition(lambda self: self.phase in {Phase.STAGED, Phase.COMPILING, Phase.TESTING})
    @rule()
    def go_on(self) -> None:
        after = {Phase.STAGED: Phase.COMPILING, Phase.COMPILING: Phase.TESTING, Phase.TESTING: Phase.SHADOW}
        self.slots = self.slots.advanced(after[self.phase])

    @precondition(lambda self: self.phase is Phase.SHADOW)
    @rule()
    def activate(self) -> None:
        self.slots = self.slots.activated()

    @precondition(lambda self: self.phase is Phase.ACTIVE)
    @rule(stood=st.booleans())
    def judge(self, stood: bool) -> None:
        self.slots = self.slots.confirmed() if stood else self.slots.rolled_back("slow")

    @precondition(lambda self: self.phase not in {None, Phase.ACTIVE})
    @rule(failure=FAILURES)
    def refuse(self, failure: Failure) -> None:
        self.slots = self.slots.refused(failure, "it failed")

    @precondition(lambda self: self.phase not in {None, Phase.ACTIVE})
    @rule()
    def abandon(self) -> None:
        self.slots = self.slots.abandoned()

    @precondition(lambda self: not self.slots.busy)
    @rule()
    def go_back(self) -> None:
        self.slots = self.slots.went_back()

    @rule(slot=st.sampled_from([Slot.A, Slot.B]))
    def lose(self, slot: Slot) -> None:
        self.whole.pop(slot, None)
        self.slots = self.slots.without(slot, "altered")

    @rule(in_order=st.booleans())
    def restart(self, in_order: bool) -> None:
        slots = self.slots.stopped() if in_order else self.slots
        self.slots = Slots.model_validate_json(slots.encode()).started()

    @invariant()
    def a_slot_runs(self) -> None:
        first = self.slots.candidates()[0]
        assert first is Slot.FACTORY or self.whole.get(first) == self.slots.held[first]
        assert self.slots.candidates()[-1] is Slot.FACTORY

    @invariant()
    def what_is_said_to_be_held_is_held(self) -> None:
        assert all(self.whole.get(slot) == held for slot, held in self.slots.held.items())

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.slots.failures) <= MAX_FAILURES


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
