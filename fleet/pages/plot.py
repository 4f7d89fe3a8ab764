"""The page of one plot, and the lines that its chart draws."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, select

from edge.contract.records import EventKind
from edge.contract.traits import VOCABULARY, Unit
from fleet import schema
from fleet.pages import page, wording
from fleet.questions import views
from fleet.questions.growth import rates
from fleet.questions.readings import Selection, page_of_readings
from fleet.questions.series import Line, Place, Series, series

RANGES = {"day": 1.0, "week": 7.0, "month": 31.0, "season": 183.0}
"""Days that each button shows."""
DAYLIGHT = (10.0, 14.0)
GROWTH_DAYS = 14
MAX_COMPARED = 4
MAX_READINGS = 20
MAX_NAMES = 500
MAX_DEVIATIONS = 5_000
_HOUR_S = 3_600
_MARKED = {
    EventKind.CAMERA_LOST: "camera lost",
    EventKind.CAMERA_BACK: "camera back",
    EventKind.CAMERA_MOVED: "camera moved",
    EventKind.CAMERA_CALIBRATED: "calibrated",
    EventKind.MODEL_ACTIVATED: "model activated",
    EventKind.MODEL_CONFIRMED: "model confirmed",
    EventKind.MODEL_ROLLED_BACK: "model rolled back",
    EventKind.SETTINGS_CHANGED: "settings changed",
    EventKind.STORE_QUARANTINED: "database replaced",
    EventKind.GAP: "records dropped",
}
"""What is drawn into a chart of what can happen."""

Document = dict[str, Any]


def draw(connection: Connection, place: Place, chosen: str | None, *, receiving: bool) -> str | None:
    """The page as HTML; ``None`` for a plot that nothing has been heard of."""
    device = views.find_device(connection, place.site, place.device)
    if device is None:
        return None
    latest = views.latest(connection, device["id"])
    own = [one for one in latest if (one["camera"], one["plot"]) == (place.camera, place.plot)]
    if not own:
        return None
    now = datetime.now(timezone.utc)
    readings = [
        one
        for one in views.observations(connection, device["id"], plot=place.plot, limit=MAX_READINGS)
        if one["camera"] == place.camera
    ]
    traits = _traits([own[0], *readings])
    since = now - timedelta(days=GROWTH_DAYS)
    growth = rates(connection, device["id"], place.camera, str(place.plot), since, DAYLIGHT, timezone.utc)
    neighbours = [one["plot"] for one in latest if one["camera"] == place.camera and one["plot"] != place.plot]
    return page.draw(
        "plot.html",
        receiving=receiving,
        now=now,
        scope=f"{place.site}/{place.device}",
        place=place,
        newest=wording.reading(own[0]),
        traits=traits,
        chosen=chosen if chosen in dict(traits) else _first(traits),
        ranges=list(RANGES),
        neighbours=neighbours[:MAX_NAMES],
        max_compared=MAX_COMPARED,
        growth=[_growth(one) for one in growth],
        columns=wording.trait_columns(readings),
        readings=[wording.reading(one) for one in readings],
    )


def lines(
    connection: Connection,
    place: Place,
    others: Sequence[str],
    trait: str,
    since: datetime,
    until: datetime,
    points: int,
) -> Document:
    """What the chart draws of a plot and of those beside it: every line over one axis of time, holes as ``null``.

    Raises:
        NotFound: nothing has been heard of the plot.
    """
    places = [place, *(Place(place.site, place.device, place.camera, name) for name in others[:MAX_COMPARED])]
    found = [(one, series(connection, one, trait, since, until, points)) for one in places]
    own = found[0][1]
    drawn = [line for one, its in found for line in _lines(connection, one, its)]
    unit = next((line.unit for _, its in found for line in its.lines), None)
    return {
        "trait": trait,
        "label": _label(trait),
        "unit": _unit(unit),
        "since": since.timestamp(),
        "until": until.timestamp(),
        "step_s": own.step_s,
        "count": sum(point.count for line in own.lines for point in line.points),
        "gaps": [[begin.timestamp(), end.timestamp()] for begin, end in own.gaps],
        **_aligned(drawn),
        "marks": _marks(connection, own),
    }


def _lines(connection: Connection, place: Place, found: Series) -> list[Document]:
    """A plot's lines: values of one unit and method each, cut where there is a gap."""
    name, several = str(place.plot), len(found.lines) > 1
    deviations = _deviations(connection, place, found)
    return [
        {
            "name": f"{name}, {line.method}" if several else name,
            "points": _cut(line, found.gaps, deviations),
        }
        for line in found.lines
    ]


def _deviations(connection: Connection, place: Place, found: Series) -> dict[datetime, float]:
    """How sure each single reading is, where the chart shows single readings."""
    single = sum(point.count == 1 for line in found.lines for point in line.points)
    if not single or found.step_s >= _HOUR_S:
        return {}
    where = (place.site, place.device, place.camera, place.plot)
    wanted = Selection(*where, trait=found.trait, since=found.since, until=found.until)
    rows, _ = page_of_readings(connection, wanted, limit=MAX_DEVIATIONS)
    return {row["taken_at"]: row["uncertainty"] for row in rows if row["uncertainty"] is not None}


def _cut(
    line: Line, gaps: Sequence[tuple[datetime, datetime]], deviations: Mapping[datetime, float]
) -> dict[float, tuple[float, float, float] | None]:
    """Value and band of each point by its time, and a hole in the middle of every gap: nothing is drawn over it.

    The band of one reading is one standard deviation to either side; of several, it reaches from the lowest to the
    highest.
    """
    scale = _scale(line.unit)
    points: dict[float, tuple[float, float, float] | None] = {}
    for point in line.points:
        wide = deviations.get(point.at, 0.0) if point.count == 1 else 0.0
        points[point.at.timestamp()] = (point.value / scale, (point.low - wide) / scale, (point.high + wide) / scale)
    for begin, end in gaps:
        points.setdefault((begin + (end - begin) / 2).timestamp(), None)
    return points


def _aligned(drawn: Sequence[Document]) -> Document:
    """All lines over all their moments; a line names the places of its own, so no other's looks like a gap of it."""
    moments = sorted({moment for line in drawn for moment in line["points"]})
    place_of = {moment: number for number, moment in enumerate(moments)}
    shown = []
    for line in drawn:
        columns: dict[str, list[Any]] = {"at": [], "value": [], "low": [], "high": []}
        for moment in sorted(line["points"]):
            point = line["points"][moment]
            columns["at"].append(place_of[moment])
            for column, number in zip(("value", "low", "high"), point or (None, None, None), strict=True):
                columns[column].append(None if number is None else _rounded(number))
        shown.append({"name": line["name"], **columns})
    return {"at": moments, "lines": shown}


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def _marks(connection: Connection, found: Series) -> list[Document]:
    """Model changes and what happened, in order of time."""
    names = _model_names(connection, {digest for _, digest in found.model_changes if digest})
    marks = [
        {"at": at.timestamp(), "kind": "model", "says": f"model {names.get(digest or '', (digest or 'none')[7:19])}"}
        for at, digest in found.model_changes
    ]
    for event in found.events:
        word = _MARKED.get(event["kind"])
        if word:
            says = f"{word}: {event['message']}" if event["message"] else word
            marks.append({"at": event["happened_at"].timestamp(), "kind": "event", "says": says[:200]})
    return sorted(marks, key=lambda mark: mark["at"])


def _model_names(connection: Connection, digests: set[str]) -> dict[str, str]:
    table = schema.models
    rows = connection.execute(select(table.c.digest, table.c.name, table.c.version).where(table.c.digest.in_(digests)))
    return {row.digest: f"{row.name} {row.version}" for row in rows}


def _traits(newest: Sequence[Document]) -> list[tuple[str, str]]:
    """Name and label of each trait that the plot has, the main ones first."""
    shown = wording.trait_columns(newest)
    found = dict.fromkeys(trait["trait"] for one in newest for trait in one["traits"])
    return shown + [(name, _label(name)) for name in found if name not in dict(shown)]


def _label(trait: str) -> str:
    return VOCABULARY[trait].label if trait in VOCABULARY else trait.replace("_", " ")


def _first(traits: Sequence[tuple[str, str]]) -> str:
    names = [name for name, _ in traits]
    return "projected_leaf_area" if "projected_leaf_area" in names else names[0] if names else "plant_count"


def _growth(rate: Mapping[str, Any]) -> Document:
    low, high = rate["interval_95"]
    between = "" if low is None or high is None else f"{_rate(low, rate)} to {_rate(high, rate)}, "
    often = f"{_rate(rate['value'], rate)} a day" if rate["unit"] == Unit.PER_DAY.value else _rate(rate["value"], rate)
    return {"name": _label(rate["trait"]), "value": often, "more": f"{between}over {rate['days']} days"}


def _rate(number: float, rate: Mapping[str, Any]) -> str:
    """Growth in per cent, as growers say it."""
    if rate["unit"] == Unit.PER_DAY.value:
        return f"{100 * number:.1f}{wording.NARROW_SPACE}%"
    return wording.value({**rate, "value": number})


def _scale(unit: str | None) -> float:
    """Growers read cm² and per cent."""
    return {Unit.MM2.value: 100.0, Unit.FRACTION.value: 0.01}.get(unit or "", 1.0)


_UNITS = {
    Unit.MM2.value: "cm²",
    Unit.FRACTION.value: "%",
    Unit.PX2.value: "px²",
    Unit.COUNT.value: "",
    Unit.INDEX.value: "",
    Unit.DEGREE.value: "°",
    Unit.PER_DAY.value: "a day",
}


def _unit(unit: str | None) -> str:
    return _UNITS.get(unit or "", unit or "")
