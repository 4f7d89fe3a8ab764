"""The page of one device: how it does, what it sees, and what is wanted of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, select

from edge.contract.commands import CommandKind
from fleet import pictures, schema
from fleet.pages import page, wording
from fleet.pages.hours import drawn, totals
from fleet.questions import views
from fleet.rollouts.wishes import wishes

HOURS = 24
MAX_PLOTS = 200
MAX_EVENTS = 20
HOT_C = 85.0

Document = dict[str, Any]


def draw(connection: Connection, site: str, device: str, *, receiving: bool) -> str | None:
    """The page as HTML; ``None`` for a device that nobody heard of."""
    found = views.find_device(connection, site, device)
    if found is None:
        return None
    now = datetime.now(timezone.utc)
    device_id, info, health = found["id"], found["info"] or {}, found["health"] or {}
    plots = views.latest(connection, device_id, MAX_PLOTS + 1)
    hours = views.completeness(connection, device_id, HOURS, now)
    settings, settings_say = _settings(connection, device_id)
    return page.draw(
        "device.html",
        receiving=receiving,
        now=now,
        scope=f"{site}/{device}",
        device=found,
        presence=wording.presence(found, now),
        tiles=_tiles(health),
        cameras=_cameras(connection, found, info),
        columns=wording.trait_columns(plots),
        plots=[wording.reading(plot) for plot in plots[:MAX_PLOTS]],
        more_plots=len(plots) > MAX_PLOTS,
        hour_list=drawn(hours),
        totals=totals(hours),
        streams=views.stream_accounts(connection, device_id),
        settings=settings,
        settings_say=settings_say,
        events=views.recent_events(connection, device_id, MAX_EVENTS),
        facts=_facts(info, health),
        log=_log(connection, device_id),
    )


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of a device's health; ``alarm``: it is not as it should be."""

    name: str
    value: str
    more: str = ""
    alarm: bool = False


def _tiles(health: Mapping[str, Any]) -> list[Tile]:
    """What an engineer looks at first; what is not told is left out."""
    if not health:
        return []
    behind = max(0, health["last_seq"] - health["watermark"])
    return [
        *_heat(health),
        *_pace(health),
        Tile("Waiting to be sent", wording.count_text(behind), wording.size(health["outbox_bytes"])),
        Tile("Storage free", wording.size(health["disk_free_bytes"])),
        *_clock(health),
    ]


def _heat(health: Mapping[str, Any]) -> list[Tile]:
    """The two warmest places, and whether the chip is slowed down for it."""
    warmest = sorted(health["temperatures_c"].items(), key=lambda each: -each[1])[:2]
    tiles = [Tile(f"{place} temperature", f"{celsius:.0f} °C", alarm=celsius >= HOT_C) for place, celsius in warmest]
    throttled, relief = health.get("throttled"), health.get("relief") or ""
    if throttled is not None or relief:
        says = "throttled" if throttled else "full speed"
        tiles.append(Tile("Power", says, relief or health.get("power_mode") or "", bool(throttled)))
    return tiles


def _pace(health: Mapping[str, Any]) -> list[Tile]:
    fps = list((health.get("fps") or {}).items())[:2]
    tiles = [Tile(f"Pictures, {camera}", f"{rate:.2g}", "a second") for camera, rate in fps]
    if health["step_p50_ms"] is not None:
        p95 = health["step_p95_ms"]
        more = f"p95 {p95:.0f} ms" if p95 is not None else ""
        tiles.append(Tile("Time per picture", f"{health['step_p50_ms']:.0f} ms", more))
    return tiles


def _clock(health: Mapping[str, Any]) -> list[Tile]:
    right = health.get("clock_ok")
    return [] if right is None else [Tile("Clock", "right" if right else "not set", alarm=not right)]


def _facts(info: Mapping[str, Any], health: Mapping[str, Any]) -> list[tuple[str, str]]:
    model = " ".join(part for part in (info.get("model_name"), info.get("model_version")) if part)
    memory = health.get("rss_bytes")
    facts = [
        ("model", model or "not told"),
        ("software", info.get("software") or "not told"),
        ("hardware", info.get("hardware") or "not told"),
        ("Python", info.get("python") or "not told"),
        ("cameras", ", ".join(info.get("cameras") or []) or "not told"),
    ]
    facts += [("memory", wording.size(memory))] if memory else []
    facts += [(f"clock, {part}", f"{mhz:.0f} MHz") for part, mhz in (health.get("clocks_mhz") or {}).items()]
    return facts


def _cameras(connection: Connection, device: Mapping[str, Any], info: Mapping[str, Any]) -> list[Document]:
    taken = pictures.describe(connection, [device["id"]])
    names = dict.fromkeys([*(info.get("cameras") or []), *(camera for _, camera in taken)])
    return [
        {"name": name, "picture": taken.get((device["id"], name)), "src": picture_path(device, name, taken)}
        for name in names
    ]


def picture_path(device: Mapping[str, Any], camera: str, taken: Mapping[tuple[int, str], Document]) -> str:
    """Where the newest picture is; another picture has another address."""
    picture = taken.get((device["id"], camera))
    version = picture["digest"][7:19] if picture else ""
    return f"/pictures/{device['site']}/{device['device']}/{camera}?v={version}"


def _settings(connection: Connection, device_id: int) -> tuple[list[Document], str]:
    """Every setting that can be changed from here, as it is and as it is wanted; and what that comes to."""
    table, said = schema.desired, schema.reported
    told = connection.execute(select(table.c.payload).where(table.c.device_id == device_id)).scalar_one_or_none() or {}
    report = connection.execute(select(said.c.payload).where(said.c.device_id == device_id)).scalar_one_or_none() or {}
    wanted = wishes(connection, [device_id]).get(device_id, {})
    in_force, refused = report.get("settings") or {}, report.get("settings_refused") or {}
    answered = report.get("revision", 0) >= told.get("revision", 0)
    rows = [
        _setting(path, in_force, wanted, refused, told.get("settings") or {}, answered=answered)
        for path in sorted(in_force.keys() | wanted.keys())
    ]
    if (told.get("settings") or {}) != wanted:
        return rows, "the device is told when its rollout has ended" if told.get("wanted") or told.get(
            "roll_back"
        ) else "being told"
    return (
        rows,
        f"{len(wanted)} wanted otherwise than its own file has them" if wanted else "as the device's own file has them",
    )


def _setting(
    path: str, in_force: Document, wanted: Document, refused: Document, told: Document, *, answered: bool
) -> Document:
    value = wanted.get(path)
    like = in_force.get(path, value)
    state, level = "", ""
    if path in wanted and path not in refused:
        if path in in_force and in_force[path] == value:
            state, level = "done", "good"
        else:
            state, level = (
                ("not done yet", "warn") if told.get(path) == value and answered else ("being told", "running")
            )
    return {
        "path": path,
        "reported": _spoken(in_force[path]) if path in in_force else "not told",
        "wanted": _spoken(value) if path in wanted else "–",
        "field": ("" if path not in wanted else _field(value)),
        "kind": "switch" if isinstance(like, bool) else "number" if isinstance(like, int | float) else "text",
        "refused": refused.get(path) if path in wanted else None,
        "state": state,
        "level": level,
    }  # fmt: skip


def _spoken(value: Any) -> str:
    return {True: "on", False: "off", None: "none"}[value] if value is None or isinstance(value, bool) else f"{value}"


def _field(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _log(connection: Connection, device_id: int) -> Document | None:
    """The newest log that a device answered with."""
    table = schema.asks
    query = select(table).where(table.c.device_id == device_id, table.c.kind == CommandKind.LOGS.value, table.c.ok)
    row = connection.execute(query.order_by(table.c.asked_at.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else {**row, "text": (row["body"] or b"").decode("utf-8", errors="replace")}
