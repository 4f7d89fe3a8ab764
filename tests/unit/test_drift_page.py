"""The drift page, the alerts page and the overview over a real store, and the API beside them."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from edge.contract.messages import EventBatch
from edge.contract.records import Event, EventEntry, EventKind
from fleet.alerts import book
from fleet.alerts.facts import facts
from fleet.alerts.rules import Rule, RulesSettings
from fleet.alerts.standing import look
from fleet.cli import app as command_line
from fleet.drift.day import of_days, told
from fleet.drift.heat import heat_map
from fleet.pages.drift import Chosen, draw
from fleet.store import Store
from tests.sim.access import bearer
from tests.sim.fleet_drift import drift, window
from tests.sim.fleet_records import EPOCH, batch, clock, letter
from tests.unit.test_fleet_rollout_web import served

NOW = datetime.now(timezone.utc)
TODAY = NOW.date()
NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=timezone.utc)
YESTERDAY = TODAY - timedelta(days=1)
EVIL = "<img src=x onerror=alert(1)>"


def fogged(**changes: Any) -> Any:
    scores = {"sharpness": -9.0, "saturation": -5.0}
    known = {"noon": NOON, "value": 38.0, "alarms": ("sharpness",), "evidence": {"sharpness": 40.0, "mean_grey": 0.1}}
    return window(-1, captures=9, scores=scores, psi={"sharpness": 2.5}, **(known | changes))


def changed(seq: int, at: datetime) -> EventBatch:
    record = Event(
        kind=EventKind.DRIFT, clock=clock(at), camera="cam", message=f"cam has changed {EVIL}",
        detail={"sharpness": "31.5"},
    )  # fmt: skip
    return EventBatch(epoch=EPOCH, items=(EventEntry(seq=seq, record=record),))


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    quiet = [window(-day, noon=NOON, captures=9, value=2.0) for day in range(9, 1, -1)]
    beside = [window(-1, noon=NOON, camera=name) for name in ("b", "c", "d")]
    opened.commit([letter(batch([1])), letter(drift(*quiet, fogged(), *beside, first=2))])
    yield opened
    opened.close()


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    with served(store) as opened:
        yield opened


def drawn(store: Store, chosen: Chosen | None = None) -> str:
    with store.reading() as connection:
        return draw(connection, None, chosen, receiving=True)


def test_a_cell_says_in_words_what_its_colour_says(store: Store) -> None:
    text = drawn(store)
    assert f"{YESTERDAY:%-d %B}: has changed, sharpness" in text
    assert text.count('class="cell quiet"') >= 8 + 3
    assert text.count('class="cell alarm"') == 2, "the camera's day, and the legend"


def test_a_chosen_day_shows_what_moved_why_and_what_to_do(store: Store) -> None:
    text = drawn(store, Chosen("site", "dev", "cam", YESTERDAY))
    assert "Most likely fog on the lens." in text
    assert "Water or fog on the lens" in text
    assert "100% of the day" in text
    assert "highest tenth, 0% of those of the days before" in text
    assert "2.50" in text, "PSI, for those who know it"
    assert "/plots/site/dev" not in drawn(store, Chosen("site", "dev", "b", YESTERDAY))


def test_a_day_of_which_nothing_is_known_is_a_page_all_the_same(store: Store) -> None:
    for chosen in (
        Chosen("site", "dev", "cam", YESTERDAY - timedelta(days=20)),
        Chosen("elsewhere", "dev", "cam", YESTERDAY),
    ):
        assert "nothing is known of this day" in drawn(store, chosen)


def test_a_change_of_today_is_in_the_map_before_its_window_is(store: Store) -> None:
    store.commit([letter(changed(99, NOW))])
    with store.reading() as connection:
        cells = heat_map([], [], told=of_days(told(connection, NOW - timedelta(days=1))))
    assert [(cell.state, cell.statistic, cell.open) for cell in cells] == [("alarm", "sharpness", True)]
    text = drawn(store, Chosen("site", "dev", "cam", NOW.date()))
    assert "come from the device when the day is over" in text
    assert EVIL not in text
    assert "&lt;img src=x" in text


def test_a_label_over_the_api_silences_the_map_and_the_alert_and_is_listed(store: Store, client: httpx.Client) -> None:
    saying = {
        "site": "site",
        "camera": "dev/cam",
        "said": "lens_cleaned",
        "since": f"{YESTERDAY}T00:00:00Z",
        "note": EVIL,
    }
    made = client.post("/api/v1/drift/labels", json=saying)
    assert (made.status_code, made.json()["who"], made.json()["until"]) == (201, "token ana", None)
    (listed,) = client.get("/api/v1/drift/labels").json()["items"]
    assert listed == made.json()
    period = {"since": f"{YESTERDAY}T00:00:00Z", "until": f"{TODAY}T00:00:00Z"}
    cells = client.get("/api/v1/drift/heatmap", params=period).json()["cells"]
    assert [(cell["state"], cell["label"]) for cell in cells if cell["camera"] == "cam"] == [
        ("labelled", "lens_cleaned")
    ]
    assert client.get("/api/v1/audit").json()["items"][0]["action"] == "drift.label"
    text = client.get("/drift").text
    assert EVIL not in text
    assert "&lt;img src=x" in text


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"camera": "dev/unheard"}, 404),
        ({"until": "2020-01-01T00:00:00Z"}, 422),
        ({"said": "nonsense"}, 422),
        ({"note": "x" * 1001}, 422),
        ({"camera": "dev"}, 422),
    ],
)
def test_a_label_that_is_none_is_refused(client: httpx.Client, change: dict[str, str], status: int) -> None:
    saying = {"site": "site", "camera": "dev/cam", "said": "expected", "since": "2026-06-01T00:00:00Z", **change}
    assert client.post("/api/v1/drift/labels", json=saying).status_code == status
    assert client.get("/api/v1/drift/labels").json()["items"] == []


def test_windows_come_in_pages_and_causes_by_day(client: httpx.Client) -> None:
    seen, after = [], None
    while True:
        answer = client.get("/api/v1/drift/windows", params={"limit": 5, **({"after": after} if after else {})}).json()
        seen += answer["items"]
        after = answer["next"]
        if after is None:
            break
    assert len(seen) == len({one["seq"] for one in seen}) == 12
    assert seen[0]["window"]["until"]["at"] >= seen[-1]["window"]["until"]["at"]
    assert len(client.get("/api/v1/drift/windows", params={"camera": "b"}).json()["items"]) == 1
    (cause,) = client.get("/api/v1/drift/causes", params={"day": str(YESTERDAY)}).json()
    assert (cause["cause"], cause["cameras"]) == ("fog", ["site/dev/cam"])


def test_who_may_only_look_gets_no_form_and_changes_nothing(store: Store, client: httpx.Client) -> None:
    day = f"/drift?camera=site/dev/cam&day={YESTERDAY}"
    reads = bearer(store, "read", name="bo")
    assert "data-send" in client.get(day).text
    assert "data-send" not in client.get(day, headers=reads).text
    saying = {"site": "site", "said": "expected", "since": "2026-06-01T00:00:00Z"}
    assert client.post("/api/v1/drift/labels", json=saying, headers=reads).status_code == 403
    hush = {"hours": 1, "why": "no reason"}
    assert client.post("/api/v1/alerts/silences", json=hush, headers=reads).status_code == 403


@pytest.mark.parametrize(
    "place", [{"device": "dev"}, {"site": "site", "camera": "cam"}, {"site": "site", "hours": 9_999}]
)
def test_a_silence_that_names_no_place_is_refused(client: httpx.Client, place: dict[str, Any]) -> None:
    assert client.post("/api/v1/alerts/silences", json={"hours": 1, "why": "no reason", **place}).status_code == 422


def test_a_day_of_long_ago_is_shown_as_it_was(store: Store) -> None:
    long_ago = NOON - timedelta(days=60)
    store.commit([letter(drift(fogged(noon=long_ago), first=80))])
    text = drawn(store, Chosen("site", "dev", "cam", long_ago.date() - timedelta(days=1)))
    assert 'class="pill alarm">has changed' in text


def raised(store: Store) -> None:
    """As the watch does it."""
    now = datetime.now(timezone.utc)
    with store.writing() as connection:
        book.keep(connection, look(book.standing(connection), facts(connection, now), RulesSettings(), now), now)


def test_an_alert_fires_is_silenced_and_is_over_on_the_pages_and_in_the_api(store: Store, client: httpx.Client) -> None:
    store.commit([letter(changed(99, NOW))])
    raised(store)
    assert "Camera changed" in client.get("/").text
    assert f"/drift?site=site&amp;camera=site/dev/cam&amp;day={NOW.date()}" in client.get("/").text
    (standing,) = [one for one in client.get("/api/v1/alerts").json()["items"] if one["rule"] == "drift"]
    assert (standing["camera"], standing["silence"]) == ("cam", None)

    hush = {"rule": "drift", "site": "site", "device": "dev", "camera": "cam", "hours": 8, "why": EVIL}
    assert client.post("/api/v1/alerts/silences", json=hush).status_code == 201
    assert "Camera changed" not in client.get("/").text
    assert "silenced until" in client.get("/alerts").text
    assert EVIL not in client.get("/alerts").text
    assert [one["why"] for one in client.get("/api/v1/alerts/silences").json()] == [EVIL]
    assert client.get("/api/v1/audit").json()["items"][0]["action"] == "alerts silence"

    saying = {"site": "site", "said": "expected", "since": f"{YESTERDAY}T00:00:00Z"}
    client.post("/api/v1/drift/labels", json=saying)
    raised(store)
    (past,) = [one for one in client.get("/api/v1/alerts/past").json()["items"] if one["rule"] == Rule.DRIFT.value]
    assert (past["site"], past["camera"]) == ("site", "cam")
    assert "Camera changed" in client.get("/alerts").text


def test_the_command_line_lists_what_changed_and_takes_a_label(tmp_path: Path) -> None:
    config = tmp_path / "fleet.yaml"
    config.write_text("state_dir: state\n")
    (tmp_path / "state").mkdir()
    opened = Store(f"sqlite:///{tmp_path / 'state' / 'fleet.sqlite'}")
    opened.commit([letter(batch([1])), letter(drift(fogged(), first=2))])
    opened.close()

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(command_line, ["drift", *arguments, "-c", str(config)])

    (found,) = json.loads(run("list", "--json").stdout)
    assert (found["camera"], found["state"], found["cause"]["name"]) == ("site/dev/cam", "alarm", "fog")
    assert "wipe" in " ".join(run("list").stdout.split())
    said = run("label", "site/dev/cam", "lens_cleaned", "--since", str(YESTERDAY), "--days", "14", "--as", "ana")
    assert said.exit_code == 0, said.output
    assert json.loads(run("list", "--json").stdout) == []
    (found,) = json.loads(run("list", "--all", "--json").stdout)
    assert (found["state"], found["label"]) == ("labelled", "lens_cleaned")
    assert run("label", "site", "nonsense").exit_code == 2
    assert run("label", "site/dev", "expected").exit_code == 2
    assert run("label", "site/dev/unheard", "expected").exit_code == 3
