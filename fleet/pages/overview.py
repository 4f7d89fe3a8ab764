"""The first page: every camera of every site as it is now."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, func, select, tuple_

from edge.contract.traits import FRUIT_COUNT, LEAF_COUNT, PLANT_COUNT, PROJECTED_LEAF_AREA
from fleet import pictures, schema
from fleet.ingest.rows import hour_of
from fleet.pages import figures, page, wording
from fleet.pages.concerns import concerns
from fleet.pages.device import picture_path
from fleet.pages.hours import share
from fleet.questions import views
from fleet.questions.observed import documents, observed
from fleet.questions.overview import CameraName, CameraState, overview

HOURS = 24
MAX_CAMERAS = 60
MAX_PLOTS = 60
MAX_OBSERVATIONS = 5_000
COUNTS = (PLANT_COUNT.name, LEAF_COUNT.name, FRUIT_COUNT.name)
AREA = (PROJECTED_LEAF_AREA.name,)

Document = dict[str, Any]


def draw(connection: Connection, site: str | None = None, after: CameraName | None = None, *, receiving: bool) -> str:
    """The page as HTML, of one site or of all, from the camera behind ``after`` on."""
    now = datetime.now(timezone.utc)
    seen = overview(connection, now, site=site, after=after, limit=MAX_CAMERAS)
    bare = [] if seen.more else _without_cameras(connection, site)
    devices = {(one["site"], one["device"]): one for one in (*_devices(connection, seen.cameras), *bare)}
    states = (*seen.cameras, *_unmeasured(devices.values(), seen.cameras))
    ids = [device["id"] for device in devices.values()]
    taken, hours, plots = pictures.describe(connection, ids), _hours(connection, ids, now), _plots(connection, ids)
    return page.draw(
        "overview.html",
        receiving=receiving,
        now=now,
        scope=f"{site}/+" if site else "+/+",
        sites=_sites([_camera(one, devices[one.name[:2]], taken, hours, plots, now) for one in states]),
        totals=_totals(states, seen.devices, seen.online),
        concerns=concerns(connection, site, now),
        following="/".join(seen.cameras[-1].name) if seen.more else "",
        part=seen.more or after is not None,
        site=site,
        rejects=views.list_rejects(connection) if site is None else [],
    )


def _devices(connection: Connection, states: Sequence[CameraState]) -> list[Document]:
    """The devices of these cameras."""
    table, names = schema.devices, sorted({state.name[:2] for state in states})
    query = select(table).where(tuple_(table.c.site, table.c.device).in_(names))
    return [dict(row) for row in connection.execute(query).mappings()]


def _without_cameras(connection: Connection, site: str | None) -> list[Document]:
    """Devices from which no reading has come."""
    table, cameras = schema.devices, schema.cameras
    query = select(table).outerjoin(cameras, cameras.c.device_id == table.c.id).where(cameras.c.id.is_(None))
    query = query if site is None else query.where(table.c.site == site)
    rows = connection.execute(query.order_by(table.c.site, table.c.device).limit(MAX_CAMERAS))
    return [dict(row) for row in rows.mappings()]


def _unmeasured(devices: Iterable[Document], states: Sequence[CameraState]) -> list[CameraState]:
    """Cameras that devices speak of and nothing has come from; and devices that have told none."""
    known, with_some = {state.name for state in states}, {state.name[:2] for state in states}
    found = []
    for device in devices:
        place = (device["site"], device["device"])
        names = (device["info"] or {}).get("cameras") or (() if place in with_some else ("",))
        found += [
            CameraState(*place, name, None, device["online"], device["last_seen"], None, 0, (), 0, 0, 0)
            for name in names
            if (*place, name) not in known
        ]
    return found


def _sites(cameras: Sequence[Document]) -> list[Document]:
    by_site: dict[str, list[Document]] = defaultdict(list)
    for camera in cameras:
        by_site[camera["site"]].append(camera)
    return [{"name": name, "cameras": by_site[name]} for name in sorted(by_site)]


def _totals(states: Sequence[CameraState], devices: int, online: int) -> Document:
    accounts = {state.name[:2]: (state.received, state.missing, state.dropped) for state in states}
    received, missing, dropped = (
        (sum(column) for column in zip(*accounts.values(), strict=True)) if accounts else (0, 0, 0)
    )
    headlines = [headline for state in states for headline in state.headlines]
    return {
        "devices": devices,
        "online": online,
        "plants": figures.total([one for one in headlines if one.trait == PLANT_COUNT.name], "Plants"),
        "area": figures.total([one for one in headlines if one.trait in AREA], "Leaf area"),
        "share": share({"received": received, "missing": missing, "dropped": dropped}),
        "missing": missing,
        "dropped": dropped,
    }


def _camera(
    state: CameraState,
    device: Document,
    taken: Mapping[tuple[int, str], Document],
    hours: Mapping[int, list[Document]],
    plots: Mapping[tuple[int, str], list[Document]],
    now: datetime,
) -> Document:
    lapses = (("missing", state.missing), ("dropped", state.dropped))
    own = plots.get((device["id"], state.camera), [])
    return {
        "site": state.site,
        "device": state.device,
        "name": state.camera,
        "key": "-".join(state.name),
        "presence": wording.presence(device, now),
        "figures": (
            figures.figure(state.headlines, COUNTS, "Plants"),
            figures.figure(state.headlines, AREA, "Leaf area"),
        ),
        "taken_at": state.taken_at,
        "hours": hours.get(device["id"], []),
        "received": state.received,
        "lapses": [f"{wording.count_text(count)} {word}" for word, count in lapses if count],
        "picture": taken.get((device["id"], state.camera)),
        "src": picture_path(device, state.camera, taken),
        "trouble": _trouble(own),
        "plots": own[:MAX_PLOTS],
        "more_plots": max(0, len(own) - MAX_PLOTS),
    }


def _hours(connection: Connection, device_ids: Sequence[int], now: datetime) -> dict[int, list[Document]]:
    """Which of the last hours brought records, of every device at once."""
    table, streams = schema.hours, schema.streams
    last = hour_of(now)
    first = last - timedelta(hours=HOURS - 1)
    query = (
        select(streams.c.device_id, table.c.hour, func.sum(table.c.received).label("received"))
        .join_from(table, streams)
        .where(streams.c.device_id.in_(device_ids), table.c.hour >= first)
        .group_by(streams.c.device_id, table.c.hour)
    )
    received: Counter[tuple[int, datetime]] = Counter()
    for row in connection.execute(query):
        received[row.device_id, row.hour] = int(row.received)
    every = [first + timedelta(hours=number) for number in range(HOURS)]
    return {one: [_hour(hour, received[one, hour]) for hour in every] for one in device_ids}


def _hour(hour: datetime, received: int) -> Document:
    says = f"{wording.count_text(received)} received" if received else "nothing"
    return {"hour": hour, "state": "complete" if received else "empty", "says": says}


def _plots(connection: Connection, device_ids: Sequence[int]) -> dict[tuple[int, str], list[Document]]:
    """The newest observation of each plot, by device and camera, in the order of people."""
    plots, cameras, table = schema.plots, schema.cameras, schema.observations
    newest = (table.c.stream_id == plots.c.stream_id) & (table.c.seq == plots.c.seq)
    query = observed().add_columns(cameras.c.device_id)
    query = query.where(cameras.c.device_id.in_(device_ids), newest, table.c.taken_at == plots.c.taken_at)
    found: dict[tuple[int, str], list[Document]] = defaultdict(list)
    for plot in documents(connection, query.limit(MAX_OBSERVATIONS)):
        found[plot["device_id"], plot["camera"]].append({**plot, "short": _short(plot)})
    for own in found.values():
        own.sort(key=lambda plot: _natural(plot["plot"]))
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """R2 before R10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _short(plot: Document) -> str:
    """A plot in a word or two: what it measures, or why it does not."""
    values = {trait["trait"]: wording.value(trait) for trait in plot["traits"]}
    shown = next((values[name] for name in (*AREA, *COUNTS) if name in values), None)
    return shown if plot["outcome"] == "measured" and shown else wording.outcome(plot)


def _trouble(plots: Sequence[Document]) -> str:
    """How many plots were not measured, with the most frequent reason."""
    failing = Counter(plot["short"] for plot in plots if plot["outcome"] not in {"measured", "no_plant"})
    if not failing:
        return ""
    reason, _ = failing.most_common(1)[0]
    count = sum(failing.values())
    return (
        f"{count} of {len(plots)} plots {reason}"
        if count < len(plots)
        else f"all plots {reason}"
        if count > 1
        else reason
    )
