"""How each alert stands, and what a look at the facts makes of it. Pure: the time comes from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from fleet.alerts.rules import Fact, RuleSettings, RulesSettings, Subject


class State(str, Enum):
    """``pending``: the value has not stood there long enough; ``firing``; ``clearing``: it may be over."""

    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"


@dataclass(frozen=True, slots=True)
class Alert:
    """One subject's alert. ``since`` is when the state began, ``raised_at`` when it began to fire."""

    subject: Subject
    state: State
    value: float
    told: str
    since: datetime
    raised_at: datetime | None = None

    @property
    def firing(self) -> bool:
        """Whether somebody is needed: an alert that may be over fires until it is."""
        return self.state is not State.PENDING


@dataclass(frozen=True, slots=True)
class Look:
    """What a look came to: the alerts as they stand, those that began to fire, and those that are over."""

    alerts: dict[Subject, Alert]
    raised: tuple[Alert, ...]
    cleared: tuple[Alert, ...]


def look(known: Mapping[Subject, Alert], facts: Sequence[Fact], rules: RulesSettings, now: datetime) -> Look:
    """Bring the alerts up to date.

    A subject of which there is no fact any more (a device that was taken away, a rule that was switched off) is over.
    """
    alerts: dict[Subject, Alert] = {}
    for fact in facts:
        rule = rules.of(fact.subject.rule)
        if rule.enabled and (after := _step(known.get(fact.subject), fact, rule, now)) is not None:
            alerts[fact.subject] = after
    raised = [alert for subject, alert in alerts.items() if alert.firing and not _fired(known.get(subject))]
    cleared = [alert for subject, alert in known.items() if alert.firing and subject not in alerts]
    return Look(alerts, tuple(sorted(raised, key=_order)), tuple(sorted(cleared, key=_order)))


def _step(before: Alert | None, fact: Fact, rule: RuleSettings, now: datetime) -> Alert | None:
    """One alert's next standing; None if there is nothing, or nothing any more."""
    high, low = fact.value >= rule.raise_at, fact.value < rule.clear_below
    if before is None or before.state is State.PENDING:
        if not high:
            return None
        since = before.since if before else now
        fires = (now - since).total_seconds() >= rule.raise_after_s
        state, at = (State.FIRING, now) if fires else (State.PENDING, None)
        return Alert(fact.subject, state, fact.value, fact.told, since, at)
    if not low:
        state, since = State.FIRING, before.since if before.state is State.FIRING else now
    elif before.state is State.CLEARING:
        state, since = State.CLEARING, before.since
    else:
        state, since = State.CLEARING, now
    if state is State.CLEARING and (now - since).total_seconds() >= rule.clear_after_s:
        return None
    return replace(before, state=state, value=fact.value, told=fact.told, since=since)


def _fired(before: Alert | None) -> bool:
    return before is not None and before.firing


def _order(alert: Alert) -> Subject:
    return alert.subject
