"""Whether a wave is good, and whether the rollout must halt. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from fleet.rollouts.correlation import Outcome, find_suspicion
from fleet.rollouts.plan import Wave
from fleet.rollouts.rollout import ENDED, GOING_ON, Facts, Participant, Rollout, Standing, State
from fleet.rollouts.standing import reachable


def judged(rollout: Rollout, fleet: Mapping[str, Facts], now: datetime) -> Rollout:
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
