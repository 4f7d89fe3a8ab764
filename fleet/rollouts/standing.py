"""How a device stands in a rollout, by its newest report. Pure.

- Success is a ``confirmed`` report that answers what the device was told, with the wanted digest in force. A download,
  a start, or a confirmed report about something else is none; and a device that no longer runs it has rolled back.
- A device that is not there, or that a technician holds, does not count until it can be reached. One that answered and
  then fell silent does: it has timed out.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from edge.contract.control import Failure, ModelRef, Phase, Reported
from fleet.rollouts.rollout import ENDED, Facts, Participant, Rollout, Standing

AT_REST = frozenset({Phase.IDLE, Phase.CONFIRMED, Phase.ROLLED_BACK, Phase.REFUSED})
_FAILURES = {Phase.ROLLED_BACK: Failure.ROLLED_BACK, Phase.REFUSED: Failure.REJECTED}


def observed(rollout: Rollout, fleet: Mapping[str, Facts], now: datetime) -> Rollout:
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
    if report.revision < one.revision or report.phase not in AT_REST:
        return one
    if runs(report, one.previous) if one.previous is not None else not runs(report, rollout.target(one)):
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
    if answered and runs(report, target) and report.phase in _held_phases(one):
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
    if report.phase in _FAILURES and about_this and not runs(report, target):
        return report.failure or _FAILURES[report.phase], report.reason
    if one.confirmed_at is not None and report.phase in AT_REST and not runs(report, target):
        return Failure.ROLLED_BACK, report.reason or "confirmed before, and no longer in force"
    if report.held:
        return None, ""
    return _lateness(rollout, one, now)


def _lateness(rollout: Rollout, one: Participant, now: datetime) -> tuple[Failure | None, str]:
    patience = timedelta(seconds=rollout.plan.give_up_after_s + rollout.plan.grace_s)
    if one.since is not None and one.confirmed_at is None and now - one.since > patience:
        return Failure.TIMED_OUT, f"no end within {patience.total_seconds():.0f} s"
    return None, ""


def runs(report: Reported, model: ModelRef) -> bool:
    """Whether the model is what runs on a device."""
    return report.active is not None and report.active.digest == model.digest


def reachable(one: Participant, facts: Facts | None) -> bool:
    """Whether a device counts for its wave: it has ended, or nobody holds it and it is there, or has answered."""
    if one.standing in ENDED or one.standing is Standing.RETURNED:
        return True
    if facts is None or facts.report.held:
        return False
    return facts.online or one.standing is Standing.UNDER_WAY
