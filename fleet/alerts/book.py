"""Alerts and silences in the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, true, update

from fleet import audit, schema, statements
from fleet.alerts.rules import Rule, Subject
from fleet.alerts.standing import Alert, Look, State
from fleet.errors import NotFound, PlanError

MAX_SILENCE = timedelta(days=90)
KEEP_PAST = timedelta(days=400)
MAX_LISTED = 1_000
_KEY = ("rule", "site", "device", "camera")


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of what it matches until it ends; ``None`` matches everything."""

    until: datetime
    why: str
    who: str
    rule: Rule | None = None
    site: str | None = None
    device: str | None = None
    camera: str | None = None

    def covers(self, subject: Subject, now: datetime) -> bool:
        """Whether it speaks of a subject now."""
        wanted = (self.rule, self.site, self.device, self.camera)
        found = (subject.rule, subject.site, subject.device, subject.camera)
        return now < self.until and all(one is None or one == other for one, other in zip(wanted, found, strict=True))


@dataclass(frozen=True, slots=True)
class Past:
    """An alert that is over."""

    subject: Subject
    told: str
    raised_at: datetime
    cleared_at: datetime

    @property
    def lasted(self) -> tuple[datetime, datetime]:
        """From when to when."""
        return self.raised_at, self.cleared_at


def standing(connection: Connection) -> dict[Subject, Alert]:
    """Every alert, also those that wait to fire."""
    rows = connection.execute(select(schema.alerts)).all()
    return {
        subject: Alert(subject, State(row.state), row.value, row.told, row.since, row.raised_at)
        for row in rows
        for subject in [Subject(Rule(row.rule), row.site, row.device, row.camera)]
    }


def keep(connection: Connection, found: Look, now: datetime) -> None:
    """Write down how the alerts stand, and those that are over."""
    table = schema.alerts
    known = standing(connection)
    told = {subject for subject in known if subject not in _untold(connection)}
    over = [
        _key(alert.subject)
        | {"told": alert.told, "raised_at": alert.raised_at or alert.since, "cleared_at": now}
        | {"untold": alert.subject in told}
        for alert in found.cleared
    ]
    gone = [subject for subject in known if subject not in found.alerts]
    for subject in gone:
        connection.execute(delete(table).where(*(table.c[name] == value for name, value in _key(subject).items())))
    fresh = [alert for subject, alert in found.alerts.items() if known.get(subject) != alert]
    for alert in fresh:
        row = _key(alert.subject) | {
            "state": alert.state.value, "value": alert.value, "told": alert.told, "since": alert.since,
            "raised_at": alert.raised_at,
        }  # fmt: skip
        statements.replace_rows(connection, table, [row])
    if over:
        connection.execute(insert(schema.past_alerts), over)
        connection.execute(delete(schema.past_alerts).where(schema.past_alerts.c.cleared_at < now - KEEP_PAST))


def unannounced(connection: Connection, now: datetime) -> list[Alert]:
    """What fires, is not silenced, and nobody was told of yet."""
    waiting = _untold(connection)
    quiet = silences(connection, now)
    return [
        alert
        for subject, alert in sorted(standing(connection).items())
        if subject in waiting and alert.firing and not any(each.covers(subject, now) for each in quiet)
    ]


def unannounced_ends(connection: Connection) -> list[Past]:
    """What is over, and somebody who knows of it was not told so yet."""
    return _past(connection, schema.past_alerts.c.untold, limit=MAX_LISTED)


def note_announced(connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
    """They were told, and of every end."""
    table = schema.alerts
    connection.execute(update(schema.past_alerts).values(untold=False).where(schema.past_alerts.c.untold))
    for alert in alerts:
        here = [table.c[name] == value for name, value in _key(alert.subject).items()]
        connection.execute(update(table).where(*here).values(notified_at=now))


def past(connection: Connection, limit: int = 100) -> list[Past]:
    """What is over, the newest first."""
    return _past(connection, true(), limit)


def _past(connection: Connection, condition: Any, limit: int) -> list[Past]:
    table = schema.past_alerts
    query = select(table).where(condition).order_by(table.c.cleared_at.desc(), table.c.id.desc())
    return [
        Past(Subject(Rule(row.rule), row.site, row.device, row.camera), row.told, row.raised_at, row.cleared_at)
        for row in connection.execute(query.limit(limit))
    ]


def _untold(connection: Connection) -> set[Subject]:
    table = schema.alerts
    query = select(*(table.c[name] for name in _KEY)).where(table.c.notified_at.is_(None))
    return {Subject(Rule(row.rule), row.site, row.device, row.camera) for row in connection.execute(query)}


def silences(connection: Connection, now: datetime) -> list[Silence]:
    """Those that still hold."""
    table = schema.silences
    rows = connection.execute(select(table).where(table.c.until > now).order_by(table.c.until).limit(MAX_LISTED))
    return [
        Silence(row.until, row.why, row.who, row.rule and Rule(row.rule), row.site, row.device, row.camera)
        for row in rows
    ]


def silence(connection: Connection, wanted: Silence, now: datetime) -> None:
    """Keep quiet from now on.

    Raises:
        PlanError: it ends in the past, or lies too far ahead: what is silenced for ever is forgotten.
        NotFound: nothing has been heard of the device.
    """
    if not now < wanted.until <= now + MAX_SILENCE:
        raise PlanError(
            f"a silence until {wanted.until:%F %R} is none; give between a moment and {MAX_SILENCE.days} days"
        )
    if wanted.device is not None and not _heard_of(connection, wanted):
        raise NotFound(f"nothing has been heard of {wanted.site}/{wanted.device}")
    row: dict[str, Any] = {
        "rule": wanted.rule and wanted.rule.value, "site": wanted.site, "device": wanted.device,
        "camera": wanted.camera, "since": now, "until": wanted.until, "why": wanted.why[:256], "who": wanted.who[:256],
    }  # fmt: skip
    connection.execute(insert(schema.silences).values(**row))
    subject = "/".join(part for part in (wanted.site, wanted.device, wanted.camera) if part) or "everything"
    rule = wanted.rule.value if wanted.rule else "every rule"
    audit.record(connection, wanted.who, "alerts silence", subject, rule=rule, until=wanted.until, why=wanted.why)


def _heard_of(connection: Connection, wanted: Silence) -> bool:
    devices = schema.devices
    here = (devices.c.site == wanted.site, devices.c.device == wanted.device)
    return connection.execute(select(devices.c.id).where(*here)).first() is not None


def _key(subject: Subject) -> dict[str, str]:
    return {"rule": subject.rule.value, "site": subject.site, "device": subject.device, "camera": subject.camera}
