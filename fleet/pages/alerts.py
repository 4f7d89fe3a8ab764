"""The page of alerts: what fires, what is silenced and until when, and what is over."""

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection

from fleet.alerts import book
from fleet.alerts.book import Past, Silence
from fleet.alerts.rules import Rule, RulesSettings, Severity, Subject
from fleet.alerts.standing import Alert
from fleet.pages import page

MAX_ALERTS = 300
MAX_PAST = 100

LEVELS = {Severity.CRITICAL: "bad", Severity.WARNING: "warn"}
WORDS = {
    Rule.OFFLINE: "Offline",
    Rule.GAP: "Records missing",
    Rule.COUNT_DROP: "Count dropped",
    Rule.DRIFT: "Camera changed",
    Rule.UPDATE_FAILED: "Update failed",
    Rule.DISK: "Storage full",
    Rule.TEMPERATURE: "Too warm",
}
"""What the rules' alerts are called."""

Document = dict[str, Any]


def draw(connection: Connection, *, receiving: bool) -> str:
    """The page as HTML."""
    now = datetime.now(timezone.utc)
    quiet = book.silences(connection, now)
    firing = [document(alert, silence_of(quiet, alert.subject, now)) for alert in fires(connection)]
    return page.draw(
        "alerts.html",
        receiving=receiving,
        now=now,
        firing=firing[:MAX_ALERTS],
        more=max(0, len(firing) - MAX_ALERTS),
        silences=[_silence(one) for one in quiet],
        past=[_past(one) for one in book.past(connection, MAX_PAST)],
    )


def fires(connection: Connection) -> list[Alert]:
    """What fires now, the worst first, then the newest."""
    firing = [alert for alert in book.standing(connection).values() if alert.firing]
    return sorted(
        firing, key=lambda alert: (level(alert.subject.rule) != "bad", -_at(alert).timestamp(), alert.subject)
    )


def document(alert: Alert, silence: Silence | None = None) -> Document:
    """An alert as a page shows it."""
    return {
        **place(alert.subject, _at(alert)),
        "level": level(alert.subject.rule),
        "what": WORDS[alert.subject.rule],
        "says": alert.told,
        "at": _at(alert),
        "rule": alert.subject.rule.value,
        "silence": silence and _silence(silence),
    }


def place(subject: Subject, at: datetime) -> Document:
    """Where an alert is, and the page that says more of it: of drift, that of its camera's day."""
    link = f"/devices/{subject.site}/{subject.device}"
    if subject.rule is Rule.DRIFT:
        camera = f"&camera={subject}&day={at.date()}#day" if subject.camera else ""
        link = f"/drift?site={subject.site}{camera}"
    return {"site": subject.site, "device": subject.device, "camera": subject.camera or None, "link": link}


def level(rule: Rule) -> str:
    """How bad an alert of a rule looks."""
    return LEVELS[RulesSettings().of(rule).severity]


def silence_of(quiet: list[Silence], subject: Subject, now: datetime) -> Silence | None:
    """What keeps a subject quiet."""
    return next((each for each in quiet if each.covers(subject, now)), None)


def _past(one: Past) -> Document:
    times = {"raised_at": one.raised_at, "cleared_at": one.cleared_at}
    return {**place(one.subject, one.raised_at), **times, "what": WORDS[one.subject.rule], "says": one.told}


def _at(alert: Alert) -> datetime:
    return alert.raised_at or alert.since


def _silence(silence: Silence) -> Document:
    parts = (silence.site, silence.device, silence.camera)
    return {
        "place": "/".join(part for part in parts if part) or "everything",
        "rule": silence.rule and WORDS[silence.rule],
        "until": silence.until,
        "why": silence.why,
        "who": silence.who,
    }
