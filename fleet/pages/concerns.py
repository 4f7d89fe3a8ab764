"""What needs somebody now: the alerts that fire, who is not there, and what happened that nothing has ended since.

``of_device`` and ``beside`` are pure. The list is short and says what to look at. An alert stands in the place of an
event that says the same, and a silence keeps both away.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from edge.contract.records import EventKind
from fleet import schema
from fleet.alerts.book import Silence, silences
from fleet.alerts.rules import Rule, Subject
from fleet.alerts.standing import Alert
from fleet.pages import alerts, wording

LOOKS_BACK = timedelta(days=3)
MAX_CONCERNS = 12
MAX_ALIKE = 4
MAX_NAMES = 6
_MAX_EVENTS, _MAX_ABSENT = 500, 200

_BAD, _WARN = "bad", "warn"
_OPEN: Mapping[str, tuple[str, str, frozenset[str]]] = {
    EventKind.CAMERA_LOST.value: (_BAD, "Camera lost", frozenset({EventKind.CAMERA_BACK.value})),
    EventKind.CAMERA_MOVED.value: (_WARN, "Camera moved", frozenset({EventKind.CAMERA_CALIBRATED.value})),
    EventKind.STORE_FULL.value: (_BAD, "Storage full", frozenset({EventKind.STARTED.value})),
    EventKind.STORE_QUARANTINED.value: (_WARN, "Database replaced", frozenset()),
    EventKind.MODEL_UNUSABLE.value: (_BAD, "Model unusable", frozenset({EventKind.MODEL_CONFIRMED.value})),
    EventKind.MODEL_REFUSED.value: (_WARN, "Model refused", frozenset({EventKind.MODEL_CONFIRMED.value})),
    EventKind.MODEL_ROLLED_BACK.value: (_WARN, "Model rolled back", frozenset({EventKind.MODEL_CONFIRMED.value})),
    EventKind.SETTINGS_REFUSED.value: (_WARN, "Settings refused", frozenset({EventKind.SETTINGS_CHANGED.value})),
    EventKind.HOT.value: (_WARN, "Too warm", frozenset({EventKind.COOL.value})),
}
"""Which events stand until which others end them, how bad they are, and what they are called."""

_PLACE = tuple(schema.devices.c[name] for name in ("id", "site", "device", "online", "last_seen"))
_KINDS = frozenset(_OPEN) | {ending for _, _, endings in _OPEN.values() for ending in endings}

Document = dict[str, Any]


_SAME: Mapping[str, Rule] = {
    "Offline": Rule.OFFLINE,
    "Silent": Rule.OFFLINE,
    "Storage full": Rule.DISK,
    "Too warm": Rule.TEMPERATURE,
    "Model unusable": Rule.UPDATE_FAILED,
    "Model refused": Rule.UPDATE_FAILED,
    "Model rolled back": Rule.UPDATE_FAILED,
}
"""What an event, or an absence, is called, and the rule that says the same once it fires."""


def concerns(connection: Connection, site: str | None, now: datetime) -> list[Document]:
    """The worst first, then the newest; many alike are one."""
    firing = [alert for alert in alerts.fires(connection) if site in {None, alert.subject.site}]
    found = beside(firing, _from_devices(connection, site, now), silences(connection, now), now)
    found.sort(key=lambda one: (one["level"] != _BAD, -one["at"].timestamp()))
    return gathered(found)[:MAX_CONCERNS]


def beside(
    firing: Sequence[Alert], happened: Sequence[Document], quiet: Sequence[Silence], now: datetime
) -> list[Document]:
    """The alerts that nobody silenced, and beside them what happened that neither an alert nor a silence speaks of."""

    def hushed(rule: Rule | None, site: str, device: str, camera: str | None) -> bool:
        """A silence of one rule is none of what no rule says."""
        subject = Subject(rule or Rule.OFFLINE, site, device, camera or "")
        return any(each.covers(subject, now) and (rule is not None or each.rule is None) for each in quiet)

    told = {(alert.subject.rule, alert.subject.site, alert.subject.device) for alert in firing}
    rest = [
        one
        for one in happened
        for rule in [_SAME.get(one["what"])]
        if (rule, one["site"], one["device"]) not in told
        and not hushed(rule, one["site"], one["device"], one["camera"])
    ]
    loud = [alert for alert in firing if not any(each.covers(alert.subject, now) for each in quiet)]
    return [*(alerts.document(alert) for alert in loud), *rest]


def _from_devices(connection: Connection, site: str | None, now: datetime) -> list[Document]:
    """Who is not there, and what happened that nothing has ended since."""
    devices = {device["id"]: device for device in _absent(connection, site, now)}
    events = _events(connection, site, now - LOOKS_BACK)
    for device_id, own in events.items():
        devices.setdefault(device_id, own[0])
    return [one for device_id, device in devices.items() for one in of_device(device, events[device_id], now)]


def gathered(found: Sequence[Document]) -> list[Document]:
    """With more than a few of one kind as one entry, in the place of its first. ``count``: how many it stands for."""
    alike: dict[str, list[Document]] = defaultdict(list)
    for one in found:
        alike[one["what"]].append(one)
    shown = []
    for one in found:
        others = alike[one["what"]]
        if len(others) <= MAX_ALIKE:
            shown.append({**one, "count": 1})
        elif one is others[0]:
            names = [each["device"] for each in others[1:MAX_NAMES]]
            more = " and more" if len(others) > MAX_NAMES else ""
            shown.append({**one, "count": len(others), "says": f"and {', '.join(names)}{more}"})
    return shown


def of_device(device: Document, events: Iterable[Document], now: datetime) -> list[Document]:
    """One device's. ``events`` are its own, oldest first."""
    standing: dict[tuple[str, str | None], Document] = {}
    for event in events:
        for kind, (_, _, endings) in _OPEN.items():
            if event["kind"] in endings:
                standing.pop((kind, event["camera"]), None)
        if event["kind"] in _OPEN:
            level, what, _ = _OPEN[event["kind"]]
            shown = {"level": level, "what": what, "says": event["message"], "at": event["happened_at"]}
            standing[event["kind"], event["camera"]] = {**shown, "camera": event["camera"]}
    link = f"/devices/{device['site']}/{device['device']}"
    where = {"site": device["site"], "device": device["device"], "link": link, "rule": None}
    return [where | one for one in (*_absence(device, now), *standing.values())]


def _absence(device: Document, now: datetime) -> list[Document]:
    presence = wording.presence(device, now)
    if presence == "online":
        return []
    what, says = (
        ("Offline", "nothing has been heard since")
        if presence == "offline"
        else ("Silent", "it says it is there, and sends nothing")
    )
    level = _BAD if presence == "offline" else _WARN
    return [{"level": level, "what": what, "says": says, "at": device["last_seen"], "camera": None}]


def _absent(connection: Connection, site: str | None, now: datetime) -> list[Document]:
    """Devices that are not there, or say nothing."""
    devices = schema.devices.c
    silent = now - timedelta(seconds=wording.SILENT_AFTER_S)
    query = select(*_PLACE).where(devices.online.is_(False) | (devices.last_seen < silent))
    query = query if site is None else query.where(devices.site == site)
    rows = connection.execute(query.order_by(devices.last_seen.desc()).limit(_MAX_ABSENT))
    return [dict(row) for row in rows.mappings()]


def _events(connection: Connection, site: str | None, since: datetime) -> dict[int, list[Document]]:
    """The newest events that begin or end a concern, by device, oldest first; each with its device."""
    events, streams, devices = schema.events, schema.streams, schema.devices
    query = (
        select(*_PLACE, events.c.kind, events.c.camera, events.c.happened_at, events.c.message)
        .select_from(events.join(streams).join(devices))
        .where(events.c.kind.in_(_KINDS), events.c.received_at >= since)
        .order_by(events.c.received_at.desc(), events.c.seq.desc())
        .limit(_MAX_EVENTS)
    )
    query = query if site is None else query.where(devices.c.site == site)
    found: dict[int, list[Document]] = defaultdict(list)
    for row in reversed(connection.execute(query).mappings().all()):
        found[row["id"]].append(dict(row))
    return found
