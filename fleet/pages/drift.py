"""The page of drift: every camera day by day, and for one of them what changed, why, and what people said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, select

from edge.contract.drift import WindowSums, merged
from edge.contract.message import Name
from fleet import pictures, schema
from fleet.drift.cause import Attribution, CameraName, Cause
from fleet.drift.day import bounds, largest, of_days, read_day, told
from fleet.drift.heat import Cell, heat_map, last_days
from fleet.drift.labels import Label, Said, labels_since
from fleet.drift.moved import Moved, moved, spoken
from fleet.drift.windows import Filed, Where, filed, glimpses
from fleet.pages import page
from fleet.pages.device import picture_path
from fleet.questions import views

DAYS = 30
BEFORE = timedelta(days=14)
MAX_CAMERAS = 60
MAX_STATISTICS = 8
MAX_LABELS = 20
MAX_PLOTS = 60
LABEL_DAYS = 14
"""How long a label holds unless a person says otherwise: the device has learned a change by then."""

MARKS = {"alarm": "!", "labelled": "✓", "watch": "?", "quiet": "·"}
STATES = {
    "alarm": "has changed",
    "labelled": "changed, and explained",
    "watch": "some evidence",
    "quiet": "as before",
}

TITLES = {
    Cause.FOG: "Most likely fog on the lens",
    Cause.FOCUS: "Most likely the focus",
    Cause.DUST: "Most likely dust on the lens",
    Cause.KNOCK: "Most likely a knock to the camera",
    Cause.EXPOSURE: "Most likely the exposure",
    Cause.LIGHT: "Most likely the light",
    Cause.VARIETY: "Most likely another variety",
    Cause.YELLOWING: "Most likely yellowing leaves",
    Cause.MODEL: "Most likely the new model",
    Cause.SEASON: "Most likely the season",
    Cause.UNKNOWN: "No rule names a cause",
}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cell that is looked at."""

    site: Name
    device: Name
    camera: Name
    day: date

    @classmethod
    def of(cls, place: str, day: date) -> "Chosen":
        """From SITE/DEVICE/CAMERA."""
        site, device, camera = place.split("/")
        return cls(site, device, camera, day)

    @property
    def name(self) -> CameraName:
        """Site, device and camera."""
        return self.site, self.device, self.camera


def draw(connection: Connection, site: str | None, chosen: Chosen | None, *, receiving: bool) -> str:
    """The page as HTML, of one site or of all, with one cell's day if it is chosen."""
    now = datetime.now(timezone.utc)
    since = last_days(now, DAYS)
    labels = labels_since(connection, since, site)
    windows = glimpses(connection, Where(site=site, since=since))
    cells = heat_map(windows, labels, told=of_days(told(connection, since, site)))
    days = [(since + timedelta(days=number)).date() for number in range(DAYS)]
    rows = _rows(cells, days, site, chosen)
    return page.draw(
        "drift.html",
        receiving=receiving,
        now=now,
        scope=f"{site}/+" if site else "+/+",
        site=site,
        days=days,
        rows=rows[:MAX_CAMERAS],
        more_rows=max(0, len(rows) - MAX_CAMERAS),
        legend=[(state, MARKS[state], STATES[state]) for state in MARKS],
        chosen=_day(connection, chosen, cells) if chosen else None,
        labels=[_label(label) for label in reversed(labels)][:MAX_LABELS],
        choices=[(said.value, said.value.replace("_", " ")) for said in Said],
    )


def _rows(cells: Sequence[Cell], days: Sequence[date], site: str | None, chosen: Chosen | None) -> list[Document]:
    """The cameras, those that need somebody first."""
    of_camera: dict[CameraName, dict[date, Cell]] = {}
    for cell in cells:
        of_camera.setdefault(cell.camera, {})[cell.day] = cell
    ordered = sorted(of_camera, key=lambda camera: (-_newest_alarm(of_camera[camera]).toordinal(), camera))
    return [
        {
            "site": camera[0],
            "device": camera[1],
            "camera": camera[2],
            "cells": [_cell(camera, day, of_camera[camera].get(day), site, chosen) for day in days],
        }
        for camera in ordered
    ]


def _newest_alarm(cells: dict[date, Cell]) -> date:
    return max((day for day, cell in cells.items() if cell.state == "alarm"), default=date.min)


def _cell(camera: CameraName, day: date, cell: Cell | None, site: str | None, chosen: Chosen | None) -> Document:
    if cell is None:
        return {"state": "none", "day": day}
    narrowed = f"site={site}&" if site else ""
    parts = [STATES[cell.state]]
    parts += [spoken(cell.statistic)] if cell.statistic and cell.state != "quiet" else []
    parts += [cell.label.value.replace("_", " ")] if cell.label else []
    return {
        "state": cell.state,
        "mark": MARKS[cell.state],
        "day": day,
        "says": ", ".join(parts),
        "href": f"/drift?{narrowed}camera={'/'.join(camera)}&day={day.isoformat()}#day",
        "current": chosen is not None and (chosen.name, chosen.day) == (camera, day),
    }


def _day(connection: Connection, chosen: Chosen, cells: Sequence[Cell]) -> Document:
    """Everything about the chosen cell."""
    begin, end = bounds(chosen.day)
    place = Where(chosen.site, chosen.device, chosen.camera, begin - BEFORE, end)
    windows = filed(connection, place)
    own = [each for each in windows if each.day == chosen.day]
    older = heat_map(own, labels_since(connection, begin, chosen.site))
    cell = next((one for one in (*cells, *older) if (one.camera, one.day) == (chosen.name, chosen.day)), None)
    causes = read_day(connection, chosen.day).attributions() if own else []
    numbers = _numbers(own, windows) if own else []
    return {
        "site": chosen.site,
        "device": chosen.device,
        "camera": chosen.camera,
        "day": chosen.day,
        "state": cell.state if cell else "none",
        "says": STATES[cell.state] if cell else "nothing is known of this day",
        "evidence": cell.evidence if cell else 0.0,
        "label": cell.label.value if cell and cell.label else None,
        "cause": next((_cause(one) for one in causes if chosen.name in one.cameras), None),
        "told": [one.message for one in told(connection, begin, chosen.site) if _of(one.camera, one.at, chosen)],
        "window": _window(largest(own)) if own else None,
        "numbers": [_number(one) for one in numbers],
        "drawn": _drawn(numbers[0]) if numbers and numbers[0].day else None,
        "label_until": chosen.day + timedelta(days=LABEL_DAYS),
        **_picture_and_plots(connection, chosen),
    }


def _of(camera: CameraName, at: datetime, chosen: Chosen) -> bool:
    return (camera, at.date()) == (chosen.name, chosen.day)


def _cause(found: Attribution) -> Document:
    others = len(found.cameras) - 1
    return {"title": TITLES[found.cause], "mend": found.mend, "evidence": found.evidence, "others": others}


def _numbers(own: Sequence[Filed], windows: Sequence[Filed]) -> list[Moved]:
    """Of the day's largest window, beside the quiet days before it that have its reference and its light."""
    day = largest(own).window
    quiet = [
        each.window.sums
        for each in windows
        if (each.window.reference, each.window.band) == (day.reference, day.band)
        and each.window.until.at < day.since.at
        and not each.window.alarms
    ]
    return moved(day, _whole(quiet), MAX_STATISTICS)


def _whole(parts: Sequence[WindowSums]) -> WindowSums:
    """Together; nothing, if a device changed what it counts under one reference."""
    try:
        return merged(parts)
    except ValueError:
        return WindowSums()


def _window(found: Filed) -> Document:
    window = found.window
    against = "the camera's own first clean days" if window.rebased else "the model's own reference"
    return {"captures": window.sums.captures, "band": window.band.replace(".", ", "), "against": against}


def _number(one: Moved) -> Document:
    return {"name": spoken(one.statistic), **{key: getattr(one, key) for key in ("evidence", "alarms", "psi", "js")},
            "spreads": one.spreads, "change": one.change}  # fmt: skip


def _drawn(one: Moved) -> Document:
    """Both histograms on one scale, in percent."""
    pairs = [("the days before", one.before), ("this day", one.day)]
    return {
        "name": spoken(one.statistic),
        "says": one.says,
        "bin": one.bin,
        "top": round(100 * max((*one.day, *one.before)), 1),
        "figures": [(title, ",".join(f"{100 * share:.1f}" for share in shares)) for title, shares in pairs if shares],
    }


def _picture_and_plots(connection: Connection, chosen: Chosen) -> Document:
    found = views.find_device(connection, chosen.site, chosen.device)
    if found is None:
        return {"picture": None, "src": "", "plots": []}
    taken = pictures.describe(connection, [found["id"]])
    plots, cameras = schema.plots, schema.cameras
    query = select(plots.c.name).join_from(plots, cameras, plots.c.camera_id == cameras.c.id)
    query = query.where(cameras.c.device_id == found["id"], cameras.c.name == chosen.camera)
    names = connection.execute(query.order_by(plots.c.name).limit(MAX_PLOTS)).scalars().all()
    return {
        "picture": taken.get((found["id"], chosen.camera)),
        "src": picture_path(found, chosen.camera, taken),
        "plots": list(names),
    }


def _label(label: Label) -> Document:
    place = "/".join(part for part in (label.site, label.device, label.camera) if part)
    return {
        "said": label.said.value.replace("_", " "),
        "place": place,
        "whole": label.camera is None,
        "since": label.since.date(),
        "until": label.until.date() if label.until else None,
        "note": label.note,
        "who": label.who,
        "said_at": label.said_at,
    }
