"""How a rollout goes on: from what devices report to what they are to be told. Pure: no clock, no store, no network.

``advance`` looks at the newest report of each device, never at the way it came there, so a lost, repeated or late
message and a restart of the service change nothing. What it returns is committed before anybody is told.

- A device is told once its wave has begun, and once no other rollout that goes on has it.
- Going back names the model to go back to, so a device that runs it already has nothing to do.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from edge.contract.control import Desired, ModelRef, Wanted, Window
from edge.contract.repository import target_path
from fleet.rollouts.assignment import Place, assign, assign_late
from fleet.rollouts.judgement import judged
from fleet.rollouts.rollout import GOING_ON, TOLD, Facts, Order, Participant, Rollout, Standing, State, Step
from fleet.rollouts.standing import AT_REST, observed, runs


def advance(rollout: Rollout, fleet: Mapping[str, Facts], now: datetime) -> Step:
    """Look once: who takes part, how they do, whether to halt or to go on, and who is to be told what."""
    rollout = judged(observed(enrolled(rollout, fleet), fleet, now), fleet, now)
    told: dict[str, Participant] = {}
    orders = []
    for name, one in rollout.participants.items():
        facts = fleet.get(name)
        order = None if facts is None else _order(rollout, name, one, facts)
        if order is not None and facts is not None:
            orders.append(order)
            told[name] = _told(rollout, one, order, facts)
    return Step(replace(rollout, participants={**rollout.participants, **told}), tuple(orders))


def enrolled(rollout: Rollout, fleet: Mapping[str, Facts]) -> Rollout:
    """With the devices that take part; after the beginning, those that have turned up since."""
    if rollout.state not in GOING_ON:
        return rollout
    arms = len(rollout.arms)
    traits = {
        name: facts.traits
        for name, facts in fleet.items()
        if name not in rollout.participants and all(arm.serves(facts.traits.hardware) for arm in rollout.arms)
    }
    if not rollout.begun:
        places: Mapping[str, Place | None] = assign(rollout.id, rollout.plan, arms, traits)
    else:
        places = {name: assign_late(rollout.id, rollout.plan, arms, name, one) for name, one in traits.items()}
    new = {name: Participant(place) for name, place in places.items() if place is not None}
    return replace(rollout, begun=True, participants={**rollout.participants, **new})


def unsettled(rollout: Rollout, fleet: Mapping[str, Facts]) -> bool:
    """Whether another look can change anything: it goes on, or devices are still to go back."""
    return rollout.state in GOING_ON or going_back(rollout, fleet) > 0


def going_back(rollout: Rollout, fleet: Mapping[str, Facts]) -> int:
    """How many devices are on their way back, or are to be told to go."""
    return sum(
        one.standing is Standing.RETURNING or _to_recall(rollout, one)
        for name, one in rollout.participants.items()
        if name in fleet and fleet[name].owner == rollout.id
    )


def _order(rollout: Rollout, name: str, one: Participant, facts: Facts) -> Order | None:
    if rollout.state is State.RUNNING and one.standing is Standing.WAITING and one.place.wave <= rollout.wave:
        free = facts.owner in {None, rollout.id} or not facts.owner_going_on
        return _offer(rollout, name, one, facts) if free else None
    if rollout.state not in GOING_ON and facts.owner == rollout.id and _to_recall(rollout, one):
        return _recall(rollout, name, one, facts)
    return None


def _to_recall(rollout: Rollout, one: Participant) -> bool:
    """A device that ends without the model keeps nothing of the offer either; a device that has it may keep it."""
    if rollout.state in GOING_ON or rollout.state is State.DONE or one.standing not in TOLD:
        return False
    everybody = rollout.state is State.ROLLED_BACK or (
        rollout.state is State.HALTED and rollout.plan.on_halt == "roll_back"
    )
    return everybody or one.standing is not Standing.SUCCEEDED


def _offer(rollout: Rollout, name: str, one: Participant, facts: Facts) -> Order:
    plan = rollout.plan
    wanted = _wanted(rollout, rollout.target(one), facts, window=plan.window, retry=plan.retry)
    return Order(name, Desired(revision=facts.revision + 1, wanted=wanted))


def _recall(rollout: Rollout, name: str, one: Participant, facts: Facts) -> Order:
    revision = facts.revision + 1
    if one.previous is None:
        return Order(name, Desired(revision=revision, roll_back=runs(facts.report, rollout.target(one))))
    wanted = _wanted(rollout, one.previous, facts, window=None, retry=True)
    return Order(name, Desired(revision=revision, wanted=wanted, roll_back=True), returning_to=one.previous)


def _wanted(rollout: Rollout, model: ModelRef, facts: Facts, *, window: Window | None, retry: bool) -> Wanted:
    return Wanted(
        model=model,
        target=target_path(facts.traits.hardware, model.name, model.version),
        rollout=rollout.id,
        window=window,
        give_up_after_s=rollout.plan.give_up_after_s,
        retry=retry,
        may_disagree=rollout.plan.may_disagree,
    )


def _told(rollout: Rollout, one: Participant, order: Order, facts: Facts) -> Participant:
    """A participant once its order is committed."""
    told = replace(one, revision=order.desired.revision, since=None)
    if rollout.state is State.RUNNING:
        return replace(told, standing=Standing.OFFERED, previous=_before(facts))
    return replace(told, standing=Standing.RETURNING)


def _before(facts: Facts) -> ModelRef | None:
    """What a device goes back to: what it runs, or, if it is on its way back already, where that leads."""
    settled = facts.report.revision >= facts.revision and facts.report.phase in AT_REST
    return facts.report.active if settled else facts.returning_to or facts.report.active
