"""How a rollout goes on: from what devices report to what they are to be told. Pure: no clock, no store, no network.

``advance`` looks at the newest report of each device, never at the way it came there, so a lost, repeated or late
message and a restart of the service change nothing. What it returns is committed before anybody is told.

The rules:

- A device is told once its wave has begun, and once no other rollout that goes on has it.
- Success is a ``confirmed`` report that answers what it was told, with the wanted digest in force. A download, a start,
  or a confirmed report about something else is none; and a device that no longer runs it has rolled back.
- A device that is not there, or that a technician holds, does not count until it can be reached. One that answered and
  then fell silent does: it has timed out.
- Going back names the model to go back to, so a device that runs it already has nothing to do.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from edge.contract.control import Desired, Failure, ModelRef, Phase, Reported, Wanted, Window
from edge.contract.repository import target_path
from fleet.assignment import Place, Traits, assign, assign_late
from fleet.correlation import Outcome, find_suspicion
from fleet.plan import Plan, Wave


class State(str, Enum):
    """Of a rollout. The last four are ends; from each of them everything can still be rolled back."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    HALTED = "halted"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled_back"


class Standing(str, Enum):
    """Of a device in a rollout."""

    WAITING = "waiting"
    OFFERED = "offered"
    UNDER_WAY = "under_way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETURNING = "returning"
    RETURNED = "returned"


GOING_ON = frozenset({State.RUNNING, State.PAUSED})
ENDED = frozenset({Standing.SUCCEEDED, Standing.FAILED})
TOLD = frozenset({Standing.OFFERED, Standing.UNDER_WAY, *ENDED})
_BACK = frozenset({Standing.RETURNING, Standing.RETURNED})
_AT_REST = frozenset({Phase.IDLE, Phase.CONFIRMED, Phase.ROLLED_BACK, Phase.REFUSED})
_FAILURES = {Phase.ROLLED_BACK: Failure.ROLLED_BACK, Phase.REFUSED: Failure.REJECTED}


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the models of a rollout, and the hardware that there is a package for (None: all)."""

    model: ModelRef
    hardware: frozenset[str] | None = None

    def serves(self, hardware: str) -> bool:
        """Whether there is a package for this hardware."""
        return self.hardware is None or hardware in self.hardware


@dataclass(frozen=True, slots=True)
class Facts:
    """What the fleet knows of a device now.

    ``revision`` is the highest that it was told or has answered; ``owner`` the rollout that told it last, and
    ``owner_going_on`` whether that one still goes on; ``returning_to`` the model that it was last told to go back to.
    """

    traits: Traits
    groups: frozenset[str]
    online: bool
    report: Reported
    revision: int = 0
    owner: str | None = None
    owner_going_on: bool = False
    returning_to: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """A device in a rollout.

    ``previous`` ran before and is what it goes back to; ``revision`` is that of the last thing it was told; ``since``
    when it could first be reached after that; ``confirmed_at`` when it was first seen to have confirmed.
    """

    place: Place
    standing: Standing = Standing.WAITING
    previous: ModelRef | None = None
    revision: int = 0
    since: datetime | None = None
    confirmed_at: datetime | None = None
    failure: Failure | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as it stands. ``wave`` is the one under way; ``soak_since`` when it became good, if it is."""

    id: str
    plan: Plan
    arms: tuple[Arm, ...]
    state: State = State.RUNNING
    wave: int = 0
    soak_since: datetime | None = None
    begun: bool = False
    reason: str = ""
    participants: Mapping[str, Participant] = field(default_factory=dict)

    def target(self, participant: Participant) -> ModelRef:
        """The model that a participant is given."""
        return self.arms[participant.place.arm].model

    def members(self, wave: int) -> dict[str, Participant]:
        """The devices of a wave."""
        return {name: one for name, one in self.participants.items() if one.place.wave == wave}


@dataclass(frozen=True, slots=True)
class Order:
    """What a device (``site/device``) is to be told; ``returning_to`` is set if it is sent back."""

    device: str
    desired: Desired
    returning_to: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A rollout after one look, and what follows for devices."""

    rollout: Rollout
    orders: tuple[Order, ...]


def advance(rollout: Rollout, fleet: Mapping[str, Facts], now: datetime) -> Step:
    """Look once: who takes part, how they do, whether to halt or to go on, and who is to be told what."""
    rollout = _judged(_observed(enrolled(rollout, fleet), fleet, now), fleet, now)
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


def reachable(one: Participant, facts: Facts | None) -> bool:
    """Whether a device counts for its wave: it has answered, or it is there and nobody holds it."""
    if one.standing not in {Standing.WAITING, Standing.OFFERED}:
        return True
    return facts is not None and facts.online and not facts.report.held


def _observed(rollout: Rollout, fleet: Mapping[str, Facts], now: datetime) -> Rollout:
    """Every participant as its device's newest report shows it."""
    seen = {
        name: _observe(rollout, one, fleet[name], now) if name in fleet else one
        for name, one in rollout.participants.items()
    }
    return replace(rollout, participants=seen)


def _observe(rollout: Rollout, one: Participant, facts: Facts, now: datetime) -> Participant:
    if one.standing in {Standing.WAITING, Standing.RETURNED}:
        return one
    if facts.owner != rollout.id:
        taken = f"in {facts.owner} now"
        return replace(one, standing=Standing.RETURNED, reason=taken) if one.standing is Standing.RETURNING else one
    if one.standing is Standing.RETURNING:
        return _observe_return(rollout, one, facts)
    return _observe_update(rollout, one, facts, now)


def _observe_return(rollout: Rollout, one: Participant, facts: Facts) -> Participant:
    report = facts.report
    if report.revision < one.revision or report.phase not in _AT_REST:
        return one
    if _runs(report, one.previous) if one.previous is not None else not _runs(report, rollout.target(one)):
        return replace(one, standing=Standing.RETURNED, reason="")
    return replace(one, reason=f"has not gone back: {report.reason or 'no reason given'}")


def _observe_update(rollout: Rollout, one: Participant, facts: Facts, now: datetime) -> Participant:
    report, target = facts.report, rollout.target(one)
    answered = report.revision >= one.revision
    if not answered and one.standing is Standing.FAILED:
        return one
    if not answered and (report.held or not facts.online):
        return replace(one, standing=Standing.OFFERED, since=None)
    one = replace(one, since=one.since or now)
    if answered and _runs(report, target) and report.phase in _held_phases(one):
        return replace(one, standing=Standing.SUCCEEDED, confirmed_at=one.confirmed_at or now, failure=None, reason="")
    failure, reason = _failure_of(rollout, one, report, now) if answered else _lateness(rollout, one, now)
    if failure is not None:
        return replace(one, standing=Standing.FAILED, failure=failure, reason=reason)
    standing = Standing.UNDER_WAY if answered else Standing.OFFERED
    return replace(one, standing=standing, failure=None, reason=report.reason if answered else "")


def _held_phases(one: Participant) -> frozenset[Phase]:
    """What proves that a model is in force: being confirmed, and once that was seen, being at rest with it."""
    return frozenset({Phase.CONFIRMED}) if one.confirmed_at is None else frozenset({Phase.CONFIRMED, Phase.IDLE})


def _failure_of(rollout: Rollout, one: Participant, report: Reported, now: datetime) -> tuple[Failure | None, str]:
    target = rollout.target(one)
    about_this = report.wanted is None or report.wanted.digest == target.digest
    if report.phase in _FAILURES and about_this and not _runs(report, target):
        return report.failure or _FAILURES[report.phase], report.reason
    if one.confirmed_at is not None and report.phase in _AT_REST and not _runs(report, target):
        return Failure.ROLLED_BACK, report.reason or "confirmed before, and no longer in force"
    if report.held:
        return None, ""
    return _lateness(rollout, one, now)


def _lateness(rollout: Rollout, one: Participant, now: datetime) -> tuple[Failure | None, str]:
    patience = timedelta(seconds=rollout.plan.give_up_after_s + rollout.plan.grace_s)
    if one.since is not None and one.confirmed_at is None and now - one.since > patience:
        return Failure.TIMED_OUT, f"no end within {patience.total_seconds():.0f} s"
    return None, ""


def _runs(report: Reported, model: ModelRef) -> bool:
    return report.active is not None and report.active.digest == model.digest


def _judged(rollout: Rollout, fleet: Mapping[str, Facts], now: datetime) -> Rollout:
    """Halt, stay, or go on to the next wave."""
    if rollout.state not in GOING_ON:
        return rollout
    reason = _halt_reason(rollout, fleet)
    if reason:
        return replace(rollout, state=State.HALTED, reason=reason, soak_since=None)
    if rollout.state is State.PAUSED:
        return rollout
    if not _is_good(rollout, fleet):
        return replace(rollout, soak_since=None)
    since = rollout.soak_since or now
    soaking = replace(rollout, soak_since=since)
    return _passed(soaking) if now - since >= _soak(rollout) else soaking


def _soak(rollout: Rollout) -> timedelta:
    empty = not rollout.members(rollout.wave)
    return timedelta(seconds=0 if empty else rollout.plan.waves[rollout.wave].soak_s)


def _passed(rollout: Rollout) -> Rollout:
    if rollout.wave + 1 < len(rollout.plan.waves):
        return replace(rollout, wave=rollout.wave + 1, soak_since=None)
    everybody = all(one.standing in ENDED for one in rollout.participants.values())
    return replace(rollout, state=State.DONE, soak_since=None) if everybody else rollout


def _is_good(rollout: Rollout, fleet: Mapping[str, Facts]) -> bool:
    """Whether enough of the wave has ended, and enough of what can be reached has ended well."""
    wave, members = rollout.plan.waves[rollout.wave], rollout.members(rollout.wave)
    counted = sum(reachable(one, fleet.get(name)) for name, one in members.items())
    succeeded = sum(one.standing is Standing.SUCCEEDED for one in members.values())
    enough = executed(members.values()) >= needed(wave, len(members))
    return enough and succeeded >= wave.success_threshold * counted


def executed(members: Iterable[Participant]) -> int:
    """How many have ended, well or badly."""
    return sum(one.standing in ENDED for one in members)


def needed(wave: Wave, members: int) -> int:
    """How many must have ended before anything is concluded from them."""
    return min(wave.min_executed, members)


def _halt_reason(rollout: Rollout, fleet: Mapping[str, Facts]) -> str:
    """Why to stop now, or nothing. Earlier waves are watched on: what they confirmed may still fall."""
    for number, wave in enumerate(rollout.plan.waves[: rollout.wave + 1]):
        reason = _wave_reason(wave, rollout.members(number).values())
        if reason:
            return f"wave {number + 1} of {len(rollout.plan.waves)}: {reason}"
    outcomes = [
        Outcome(_groups(rollout, one, fleet[name]), failed=one.standing is Standing.FAILED)
        for name, one in rollout.participants.items()
        if one.standing in ENDED and name in fleet
    ]
    rule = rollout.plan.correlation
    return str(find_suspicion(outcomes, alpha=rule.alpha, min_failures=rule.min_failures) or "")


def _wave_reason(wave: Wave, members: Iterable[Participant]) -> str:
    members = list(members)
    ended = executed(members)
    if not ended or ended < needed(wave, len(members)):
        return ""
    failures = Counter(one.failure for one in members if one.standing is Standing.FAILED)
    for kind, limit in wave.errors.limits().items():
        count = failures.total() if kind is None else failures[kind]
        if count > limit * ended:
            word = "failed" if kind is None else f"ended {kind.value.replace('_', ' ')}"
            return f"{count} of {ended} devices {word} ({count / ended:.0%}), {limit:.0%} are allowed"
    return ""


def _groups(rollout: Rollout, one: Participant, facts: Facts) -> frozenset[str]:
    if len(rollout.arms) == 1:
        return facts.groups
    return facts.groups | {f"version={rollout.target(one).version}"}


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
        return Order(name, Desired(revision=revision, roll_back=_runs(facts.report, rollout.target(one))))
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
    )


def _told(rollout: Rollout, one: Participant, order: Order, facts: Facts) -> Participant:
    """A participant once its order is committed."""
    told = replace(one, revision=order.desired.revision, since=None)
    if rollout.state is State.RUNNING:
        return replace(told, standing=Standing.OFFERED, previous=facts.returning_to or facts.report.active)
    return replace(told, standing=Standing.RETURNING)
