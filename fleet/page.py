"""The growers' page: one document with every device, drawn on the server."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import Connection

from fleet import views, wording
from fleet.access import visit
from fleet.completeness import Hour
from fleet.observed import Document

HOURS = 24
MAX_DEVICES = 100
MAX_PLOTS = 200
MAX_EVENTS = 8


def draw(connection: Connection, *, receiving: bool) -> str:
    """The page as HTML. ``receiving``: whether messages can arrive and are stored."""
    now = datetime.now(timezone.utc)
    devices = views.list_devices(connection)
    return (
        environment()
        .get_template("page.html")
        .render(
            now=now,
            receiving=receiving,
            devices=[_device(connection, device, now) for device in devices[:MAX_DEVICES]],
            more_devices=len(devices) - MAX_DEVICES,
            rejects=views.list_rejects(connection),
        )
    )


@cache
def environment() -> Environment:
    """The pages' templates: what a device says is text in them, never markup."""
    made = Environment(
        loader=PackageLoader("fleet"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"number": wording.count_text, "size": wording.size}
    made.globals |= {"age": wording.age, "visit": visit}
    return made


def _device(connection: Connection, device: Document, now: datetime) -> dict[str, Any]:
    plots = views.latest(connection, device["id"], MAX_PLOTS + 1)
    hours = views.completeness(connection, device["id"], HOURS, now)
    return {
        **device,
        "info": device["info"] or {},
        "health": device["health"] or {},
        "presence": wording.presence(device, now),
        "columns": wording.trait_columns(plots),
        "plots": [_plot(plot) for plot in plots[:MAX_PLOTS]],
        "more_plots": len(plots) > MAX_PLOTS,
        "hours": [{**asdict(hour), "state": _state(hour)} for hour in hours],
        "totals": _totals(hours),
        "streams": views.stream_accounts(connection, device["id"]),
        "events": views.recent_events(connection, device["id"], MAX_EVENTS),
    }


def _plot(observation: Document) -> dict[str, Any]:
    values = {trait["trait"]: wording.value(trait) for trait in observation["traits"]}
    methods = {trait["trait"]: wording.method(trait) for trait in observation["traits"]}
    return {**observation, "says": wording.outcome(observation), "values": values, "methods": methods}


def _totals(hours: Sequence[Hour]) -> dict[str, int]:
    return {kind: sum(getattr(hour, kind) for hour in hours) for kind in ("received", "missing", "dropped")}


def _state(hour: Hour) -> str:
    """The colour of an hour; its text says the same."""
    if hour.missing:
        return "missing"
    if hour.dropped or hour.epoch_breaks:
        return "dropped"
    return "complete" if hour.received else "empty"
