"""What pages make of what the store has, without a browser."""

from datetime import datetime, timedelta, timezone

import pytest

from edge.contract.records import EventKind
from fleet.alerts.book import Silence
from fleet.alerts.rules import Rule, Subject
from fleet.alerts.standing import Alert, State
from fleet.pages.concerns import beside, gathered, of_device
from fleet.pages.figures import figure, total
from fleet.pages.hours import share
from fleet.questions.overview import Headline

NOW = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
DEVICE = {"id": 1, "site": "north", "device": "bench-1", "online": True, "last_seen": NOW}


def event(kind: EventKind, minutes: int, camera: str | None = "top") -> dict[str, object]:
    at = NOW + timedelta(minutes=minutes)
    return {"kind": kind.value, "camera": camera, "happened_at": at, "message": kind.value}


def whats(events: list[dict[str, object]], **device: object) -> list[str]:
    return [one["what"] for one in of_device({**DEVICE, **device}, events, NOW)]


def test_what_happened_stands_until_it_is_over() -> None:
    lost, back = event(EventKind.CAMERA_LOST, 0), event(EventKind.CAMERA_BACK, 1)
    assert whats([lost]) == ["Camera lost"]
    assert whats([lost, back]) == []
    assert whats([lost, back, event(EventKind.CAMERA_LOST, 2)]) == ["Camera lost"]
    assert whats([lost, event(EventKind.CAMERA_BACK, 1, camera="side")]) == ["Camera lost"]
    assert whats([lost, event(EventKind.CAMERA_LOST, 3)]) == ["Camera lost"]


def test_who_is_not_there_needs_somebody() -> None:
    assert whats([], online=False) == ["Offline"]
    assert whats([], last_seen=NOW - timedelta(minutes=10)) == ["Silent"]
    assert whats([]) == []


def test_many_alike_are_one_and_few_stay_apart() -> None:
    found = [
        {"what": "Offline", "device": f"d{number}", "says": "", "site": "n", "level": "bad", "at": NOW, "camera": None}
        for number in range(9)
    ]
    shown = gathered([*found[:2], {**found[0], "what": "Too warm"}])
    assert [one["count"] for one in shown] == [1, 1, 1]
    (one,) = gathered(found)
    assert (one["count"], one["says"]) == (9, "and d1, d2, d3, d4, d5 and more")


def alert(rule: Rule, device: str = "bench-1", camera: str = "") -> Alert:
    return Alert(Subject(rule, "north", device, camera), State.FIRING, 1.0, "it says so", NOW, NOW)


def quiet(rule: Rule | None = None, device: str | None = "bench-1", hours: float = 1) -> Silence:
    return Silence(NOW + timedelta(hours=hours), "a reason", "ana", rule, "north", device)


def shown(firing: list[Alert], happened: list[dict[str, object]], *silences: Silence) -> list[str]:
    return [one["what"] for one in beside(firing, happened, silences, NOW)]


def test_an_alert_stands_in_the_place_of_an_event_that_says_the_same() -> None:
    away = of_device({**DEVICE, "online": False}, [event(EventKind.CAMERA_LOST, 0)], NOW)
    assert shown([], away) == ["Offline", "Camera lost"]
    assert shown([alert(Rule.OFFLINE)], away) == ["Offline", "Camera lost"]
    assert shown([alert(Rule.OFFLINE, "bench-2")], away) == ["Offline", "Offline", "Camera lost"]


def test_a_silence_keeps_alerts_and_what_says_the_same_away_while_it_holds() -> None:
    away = of_device({**DEVICE, "online": False}, [event(EventKind.CAMERA_LOST, 0)], NOW)
    assert shown([alert(Rule.OFFLINE)], away, quiet(Rule.OFFLINE)) == ["Camera lost"]
    assert shown([], away, quiet(Rule.OFFLINE)) == ["Camera lost"], "before the alert fires as well"
    assert shown([alert(Rule.OFFLINE)], away, quiet()) == []
    assert shown([alert(Rule.OFFLINE)], away, quiet(Rule.DISK)) == ["Offline", "Camera lost"]
    assert shown([alert(Rule.OFFLINE)], away, quiet(hours=-1)) == ["Offline", "Camera lost"]
    assert shown([alert(Rule.OFFLINE)], away, quiet(device="bench-2")) == ["Offline", "Camera lost"]


def test_an_alert_leads_to_the_page_that_says_more() -> None:
    drifted, gone = beside([alert(Rule.DRIFT, camera="top"), alert(Rule.OFFLINE)], [], [], NOW)
    assert drifted["link"] == "/drift?site=north&camera=north/bench-1/top&day=2026-06-01#day"
    assert (gone["link"], gone["level"]) == ("/devices/north/bench-1", "bad")


@pytest.mark.parametrize(
    ("headline", "text", "delta"),
    [
        (Headline("plant_count", "count", 42, 40), "42", "+2"),
        (Headline("plant_count", "count", 42, 42.2), "42", "±0"),
        (Headline("plant_count", "count", 42, 45), "42", "\N{MINUS SIGN}3"),
        (Headline("plant_count", "count", 42, None), "42", ""),
        (Headline("projected_leaf_area", "mm2", 120_400, 100_000), "1\u202f204\u202fcm²", "+20\u202f%"),
        (Headline("projected_leaf_area", "mm2", 120_400, 120_300), "1\u202f204\u202fcm²", "±0\u202f%"),
        (Headline("projected_leaf_area", "px2", 5_000, 0), "5\u202f000\u202fpx²", ""),
    ],
)
def test_a_figure_stands_against_yesterday_in_the_words_of_growers(headline: Headline, text: str, delta: str) -> None:
    found = figure([headline], [headline.trait], "Plants")
    assert (found.text, found.delta) == (text, delta)


def test_pixels_of_different_cameras_are_not_added_up() -> None:
    areas = [Headline("projected_leaf_area", unit, 10_000, 5_000) for unit in ("mm2", "px2", "mm2")]
    assert total(areas, "Leaf area").text == "200\u202fcm²"
    assert total(areas[1:2], "Leaf area").text == ""
    grown = [Headline("plant_count", "count", 5, 4), Headline("plant_count", "count", 7, None)]
    assert (total(grown, "Plants").text, total(grown, "Plants").delta) == ("12", "+1")


@pytest.mark.parametrize(
    ("received", "missing", "says"), [(0, 0, "–"), (100, 0, "100 %"), (99_999, 1, "99.9 %"), (50, 50, "50.0 %")]
)
def test_a_hundred_per_cent_is_said_of_everything_only(received: int, missing: int, says: str) -> None:
    assert share({"received": received, "missing": missing, "dropped": 0}) == says
