"""A plot over days in the terminal: gaps are gaps, and the growth rate is that of the traits' definition."""

import json
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from edge.cli import app
from edge.clock import read_clock
from edge.contract.records import Observation, Outcome, TraitValue
from edge.contract.traits import Unit
from edge.history import history_of, main_trait, sparkline
from edge.outbox import OUTBOX_FILE, Outbox
from edge.settings import OutboxSettings

AREA = "projected_leaf_area"
BEGAN = datetime.now(timezone.utc).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=12)


def seen(day: float, area: float | None, plot: str = "R1C1") -> Observation:
    clock = read_clock().model_copy(update={"at": BEGAN + timedelta(days=day)})
    traits = () if area is None else (TraitValue(trait=AREA, value=area, unit=Unit.PX2),)
    outcome = Outcome.NOT_TAKEN if area is None else Outcome.MEASURED
    return Observation(camera="top", plot=plot, frame_id=1, clock=clock, outcome=outcome, traits=traits)


GROWING = [seen(day, None if day in {4, 5} else 1000 * 1.12**day) for day in range(12)]


def test_gaps_are_dots_and_never_bars() -> None:
    assert sparkline([1, None, 3, 8]) == "▁·▃█"
    assert sparkline([None, None]) == "··"
    assert sparkline([5, 5]) == "▁▁"


def test_a_month_has_its_gaps_its_days_and_its_growth() -> None:
    (found,) = history_of([each.model_dump(mode="json") for each in GROWING], AREA, timezone.utc)
    assert (found.readings, found.unit, found.newest, found.least) == (10, "px2", pytest.approx(1000 * 1.12**11), 1000)
    assert None in found.bars
    assert [day.day.day for day in found.days if day.value is None] == [(BEGAN + timedelta(days=n)).day for n in (4, 5)]
    assert found.days[4].outcomes == {"not_taken": 1}
    assert found.growth
    assert found.growth.value == pytest.approx(0.1133, abs=1e-3), "the logarithm of 1.12 a day"


def test_a_day_on_which_nothing_ran_is_among_the_days() -> None:
    (found,) = history_of([each.model_dump(mode="json") for each in (seen(0, 5.0), seen(3, 7.0))], AREA, timezone.utc)
    assert [(day.value, day.outcomes) for day in found.days] == [
        (5.0, {"measured": 1}), (None, {}), (None, {}), (7.0, {"measured": 1}),
    ]  # fmt: skip
    assert found.growth is None, "two days always lie on a line"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    with closing(Outbox(tmp_path / OUTBOX_FILE, OutboxSettings(keep_delivered_s=1e9))) as outbox:
        outbox.append([*GROWING, seen(3, 77.0, "R1C2")])
    path = tmp_path / "device.yaml"
    camera = {"name": "top", "source": {"kind": "v4l2", "device": 0}}
    tree = {"site": "gh", "device": "cam", "state_dir": ".", "inference": {"package": "p"}, "cameras": [camera]}
    path.write_text(yaml.safe_dump(tree))
    return path


def test_the_command_shows_it_in_80_columns(config: Path) -> None:
    run = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
    done = run.invoke(app, ["history", "R1C1", "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert max(len(line) for line in done.output.splitlines()) <= 80
    assert "·" in done.output
    assert "+11.3% a day over 10 days" in done.output
    assert "nothing  (1 not taken)" in done.output
    told = json.loads(run.invoke(app, ["history", "R1C1", "--config", str(config), "--json"]).output)
    assert [each["plot"] for each in told] == ["R1C1"]


def test_a_plot_without_readings_is_said_with_what_to_do(config: Path) -> None:
    done = CliRunner().invoke(app, ["history", "R9C9", "--config", str(config)])
    assert (done.exit_code, "canopy buffer tail --plot R9C9" in done.output) == (5, True)


def test_a_trait_that_the_plot_lacks_is_said_with_those_that_it_has(config: Path) -> None:
    done = CliRunner().invoke(app, ["history", "R1C1", "--trait", "leaf_counts", "--config", str(config)])
    assert done.exit_code == 5
    assert "no leaf_counts of plot R1C1" in done.output
    assert AREA in done.output


def test_without_a_name_the_main_trait_that_there_is_is_shown() -> None:
    assert main_trait(("canopy_cover", "fruit_count_ripe", "fruit_count")) == "fruit_count"
    assert main_trait(("plant_count", AREA)) == AREA
    assert main_trait(("canopy_cover",)) == "canopy_cover"
    assert main_trait(()) is None
