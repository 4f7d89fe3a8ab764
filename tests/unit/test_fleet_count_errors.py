"""The fleet shows how far counts may be off, with unit and interval; what has no estimate is not zero."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.contract.control import ShadowReport
from edge.contract.drift import CountError
from fleet.cli import app as command_line
from fleet.drift.errors import apart, of_day
from fleet.drift.windows import Filed
from fleet.pages.drift import Chosen, draw
from fleet.store import Store
from tests.sim.fleet_drift import drift, window
from tests.sim.fleet_records import letter
from tests.sim.rollout_records import NEW, filled, report
from tests.unit.test_fleet_rollout_web import served

NOW = datetime.now(timezone.utc)
NOON = datetime(NOW.year, NOW.month, NOW.day, 12, tzinfo=timezone.utc)
YESTERDAY = NOON.date() - timedelta(days=1)
SOME = {"leaf": CountError(error=30, low=20, high=60, found=100)}
WIDE = {"COLUMNS": "300"}
FEWER = {"leaf": CountError(error=10, low=0, high=20, found=60), "plant": CountError(error=1, low=0, high=2, found=9)}


def told(**changes: Any) -> Any:
    return window(-1, noon=NOON, captures=9, alarms=("sharpness",), evidence=40.0, **changes)


def test_a_day_of_several_lights_is_weighed_by_its_captures_and_each_capture_counts_once() -> None:
    windows = [
        window(-1, captures=9, count_errors=SOME), window(-1, captures=9, rebased=True, count_errors=SOME),
        window(-1, captures=3, band="dim", count_errors=FEWER),
    ]  # fmt: skip
    found = of_day([Filed("site", "dev", each) for each in windows])
    assert list(found) == ["leaf"], "of plants a part of the day has none"
    assert found["leaf"] == CountError(error=25, low=15, high=50, found=90)


def test_a_day_with_a_window_that_has_no_estimate_has_none() -> None:
    windows = [window(-1, count_errors=SOME), window(-1, band="dim")]
    assert of_day([Filed("site", "dev", each) for each in windows]) == {}
    assert of_day([]) == {}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    opened.commit([letter(drift(told(count_errors=SOME), told(camera="b")))])
    yield opened
    opened.close()


def test_the_page_says_it_with_unit_and_interval_or_that_there_is_none(store: Store) -> None:
    with store.reading() as connection:
        some, none = (
            draw(connection, None, Chosen("site", "dev", name, YESTERDAY), receiving=True) for name in ("cam", "b")
        )
    assert "Leaf: off by about 30 a picture (20 to 60), 30% of those found" in some
    assert "No estimate" in none
    assert "off by about" not in none


def test_the_api_has_every_camera_of_every_day_and_nothing_where_there_is_no_estimate(store: Store) -> None:
    with served(store) as client:
        first, second = client.get("/api/v1/drift/errors", params={"site": "site"}).json()
        assert (first["camera"], first["day"], first["count_errors"]) == ("b", str(YESTERDAY), {})
        assert second["count_errors"] == {"leaf": {"error": 30, "low": 20, "high": 60, "found": 100}}
        assert client.get("/api/v1/drift/errors", params={"site": "elsewhere"}).json() == []


def test_the_command_line_lists_it(tmp_path: Path) -> None:
    config = tmp_path / "fleet.yaml"
    config.write_text("state_dir: state\n")
    (tmp_path / "state").mkdir()
    opened = Store(f"sqlite:///{tmp_path / 'state' / 'fleet.sqlite'}")
    opened.commit([letter(drift(told(count_errors=SOME), told(camera="b")))])
    opened.close()
    result = CliRunner().invoke(command_line, ["drift", "list", "--json", "-c", str(config)])
    assert [each["count_errors"] for each in json.loads(result.stdout)] == [
        {}, {"leaf": {"error": 30.0, "low": 20.0, "high": 60.0, "found": 100.0}}
    ]  # fmt: skip
    shown = " ".join(CliRunner().invoke(command_line, ["drift", "list", "-c", str(config)], env=WIDE).stdout.split())
    assert "no estimate of their error" in shown
    assert "leaf: off by about 30 a picture (20 to 60)" in shown


def test_a_shadow_run_says_by_how_much_two_models_differ_once_it_has_seen_enough(tmp_path: Path) -> None:
    store = filled(Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}"), 2)
    bins = [0] * 17
    bins[8], bins[6], bins[9] = 10, 5, 10
    report(store, "dev-00", shadow=ShadowReport(model=NEW.ref, pictures=25, agreed=10, count_bins=tuple(bins)))
    bins[8] = 0
    report(store, "dev-01", shadow=ShadowReport(model=NEW.ref, pictures=15, agreed=10, count_bins=tuple(bins)))
    with store.reading() as connection:
        found = apart(connection, "site", "dev-00")
        assert apart(connection, "site", "dev-01") is None, "fifteen pictures are too few"
        assert apart(connection, "site", "unheard") is None
    assert found is not None
    assert (found.counts, found.pictures) == (20 / 25, 25)
    store.close()
