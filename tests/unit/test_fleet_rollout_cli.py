"""The commands of the operations engineer: what they print in 80 columns, and how they end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge.contract.control import Window
from fleet.cli import app
from fleet.errors import PlanError
from fleet.rollouts import options
from fleet.rollouts.plan import Plan
from fleet.store import Store
from tests.sim.models import zipped
from tests.sim.rollout_records import filled, look, obey

RUN = CliRunner(env={"COLUMNS": "80"})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text("state_dir: state\nmqtt: {port: 0}\nhttp: {port: 0}\n")
    return path


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{config.parent / 'state' / 'fleet.sqlite'}")
    yield filled(opened)
    opened.close()


def run(config: Path, *words: str, code: int = 0) -> Result:
    done = RUN.invoke(app, [*words, "--config", str(config)])
    assert done.exit_code == code, done.output
    assert "--json" in words or max(map(len, done.stdout.splitlines()), default=0) <= 80, done.stdout
    return done


def test_create_watch_halt_and_everybody_is_back(config: Path, store: Store) -> None:
    made = run(config, "rollout", "create", "rosette-1.1.0", "--waves", "20,100", "--soak", "0")
    assert "rosette-1.1.0: rosette 1.1.0, 10 devices" in made.stdout
    look(store)
    obey(store, *(f"dev-0{number}" for number in range(10)))
    look(store)
    obey(store)
    look(store)
    shown = run(config, "rollout", "status", "rosette-1.1.0").stdout
    assert "halted: wave 1 of 2: 2 of 2 devices failed (100%), 10% are allowed" in " ".join(shown.split())
    assert "halted" in run(config, "rollout", "status").stdout
    assert "rolled back" in shown
    run(config, "rollout", "status", "rosette-1.1.0", "--wait", code=1)


def test_a_good_one_can_be_waited_for(config: Path, store: Store) -> None:
    run(config, "rollout", "create", "rosette-1.1.0", "--soak", "0", "--waves", "100")
    look(store)
    obey(store)
    look(store)
    done = run(config, "rollout", "status", "rosette-1.1.0", "--wait", "--json")
    assert json.loads(done.stdout)["state"] == "done"
    assert len(run(config, "rollout", "status", "rosette-1.1.0", "--devices").stdout.splitlines()) == 4 + 2 + 10


def test_a_dry_run_shows_the_waves_and_changes_nothing(config: Path, store: Store) -> None:
    shown = run(config, "rollout", "create", "rosette-1.1.0", "--dry-run").stdout
    assert "nothing was changed" in shown
    assert "up to 5 %" in shown
    assert run(config, "rollout", "status").stdout.strip() == "no rollout yet: canopy-fleet rollout create"
    assert "rollout create" not in run(config, "audit", "list").stdout


def test_each_step_says_where_the_rollout_stands(config: Path, store: Store) -> None:
    run(config, "rollout", "create", "rosette-1.1.0", "--id", "r")
    assert "paused in wave 1 of 3" in " ".join(run(config, "rollout", "pause", "r").stdout.split())
    run(config, "rollout", "resume", "r")
    assert "aborted" in run(config, "rollout", "abort", "r", "--why", "wrong week").stdout
    assert "rolled back" in run(config, "rollout", "rollback", "r", "--as", "bo").stdout
    log = json.loads(run(config, "audit", "list", "--json").stdout)
    assert [entry["action"] for entry in log[-4:]] == [
        "rollout pause", "rollout resume", "rollout abort", "rollout rollback",
    ]  # fmt: skip
    assert (log[-1]["who"], log[-2]["detail"]["reason"]) == ("bo", "wrong week")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("rollout", "create", "rosette-9.0.0"), 3, "no model rosette-9.0.0 is registered"),
        (("rollout", "create"), 2, "name one MODEL, or two with --ab"),
        (("rollout", "create", "rosette-1.1.0", "--waves", "half"), 2, "are no waves"),
        (("rollout", "create", "rosette-1.1.0", "--soak", "soon"), 2, "say 90s, 30min, 6h or 2d"),
        (("rollout", "create", "rosette-1.1.0", "--window", "9-5"), 2, "say 22:00-05:00"),
        (("rollout", "create", "rosette-1.1.0", "--site", "moon"), 4, "no device would get"),
        (("rollout", "create", "rosette-1.1.0", "--on-halt", "shrug"), 2, "on_halt"),
        (("rollout", "status", "nobody"), 3, "there is no rollout nobody"),
        (("rollout", "resume", "nobody"), 3, "there is no rollout nobody"),
        (("model", "show", "basil@champion"), 3, "basil has no champion"),
        (("model", "add", "fleet.yaml"), 2, "is no model package"),
        (("device", "tag", "site/moon", "x"), 3, "no device site/moon"),
        (("audit", "verify", "--head", "ab" * 32), 5, "its end was cut off"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_documented_code(
    config: Path, store: Store, words: tuple[str, ...], code: int, says: str
) -> None:
    assert says in run(config, *words, code=code).stderr


def test_a_step_that_the_state_does_not_allow_ends_with_4(config: Path, store: Store) -> None:
    run(config, "rollout", "create", "rosette-1.1.0", "--id", "r")
    assert "it is running, not paused" in run(config, "rollout", "resume", "r", code=4).stderr


def test_models_are_added_named_listed_and_shown(config: Path, store: Store, tmp_path: Path) -> None:
    added = run(config, "model", "add", str(zipped(tmp_path, "2.0.0")), "--as", "bo")
    assert "rosette 2.0.0 is registered" in " ".join(added.stdout.split())
    run(config, "model", "promote", "rosette-2.0.0", "--alias", "candidate", "--crop", "tomato")
    moved = run(config, "model", "promote", "rosette-1.0.0", "--alias", "candidate", "--crop", "tomato")
    assert moved.stdout.strip() == "tomato@candidate is rosette 1.0.0, before: rosette 2.0.0"
    assert "tomato@candidate" in run(config, "model", "list").stdout
    shown = run(config, "model", "show", "tomato@candidate").stdout
    assert "10 devices: site/dev-00, site/dev-01, site/dev-02 …" in shown


def test_tags_are_shown_added_and_taken_away(config: Path, store: Store) -> None:
    assert run(config, "device", "tag", "site/dev-01", "canary", "crop=tomato").stdout == (
        "site/dev-01: canary, crop=tomato\n"
    )
    assert run(config, "device", "tag", "site/dev-01", "--remove", "canary").stdout == "site/dev-01: crop=tomato\n"
    assert run(config, "device", "tag", "site/dev-02").stdout == "site/dev-02: no tags\n"


def test_two_versions_are_created_and_compared(config: Path, store: Store) -> None:
    made = run(config, "rollout", "create", "--ab", "rosette-1.1.0", "rosette-1.2.0", "--waves", "100", "--id", "trial")
    assert "rosette 1.1.0 against rosette 1.2.0" in made.stdout
    look(store)
    obey(store)
    look(store)
    assert "B is 1.2.0 on 5 devices" in run(config, "rollout", "compare", "trial").stdout


def test_the_audit_log_is_verified(config: Path, store: Store) -> None:
    head = run(config, "audit", "list").stdout.split()[-1]
    assert "3 entries" in run(config, "audit", "verify", "--head", head).stdout


def test_options_make_the_plan_that_they_say() -> None:
    waves = options.waves("5%, 50,100", ["canary"], "6h", 2, 90, 5)
    plan = Plan.model_validate({"waves": waves, "window": options.window("22:00-05:30", night=True)})
    assert [wave.percent for wave in plan.waves] == [100, 5, 50, 100]
    assert plan.waves[0].select.tags == ("canary",)
    assert (plan.waves[1].soak_s, plan.waves[1].success_threshold, plan.waves[1].errors.any) == (21_600, 0.9, 0.05)
    assert plan.window == Window(start_minute=1320, end_minute=330, daylight=False)
    assert options.window(None, night=False) is None
    assert [options.seconds(spoken) for spoken in ("90", "90s", "1.5min", "2d")] == [90, 90, 90, 172_800]
    for spoken in ("", "-1s", "1w", "1e9", "99999999999d", "25:00-05:00"):
        with pytest.raises(PlanError):
            options.seconds(spoken)
