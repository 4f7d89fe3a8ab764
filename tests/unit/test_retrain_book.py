"""Retrainings in the store: opened once for a reason, judged, and nothing refused goes out; all of it is audited."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge.contract.comparison import Comparison, Slice
from edge.contract.frames import KeptFrame
from edge.contract.messages import Info
from fleet import audit
from fleet.cli import app
from fleet.drift.labels import Label, Said, say
from fleet.frames.desk import FrameDesk
from fleet.ingest.intake import Letter
from fleet.retrain import book
from fleet.retrain.book import Stage
from fleet.retrain.reason import Reason
from fleet.retrain.settings import GateSettings
from fleet.retrain.watch import FRAMES, Retrainer
from fleet.settings import FrameSettings, load_settings
from fleet.store import Store
from tests.sim.fleet_drift import drift, window
from tests.sim.models import zipped
from tests.sim.rollout_records import NEW, OLD, filled
from tests.unit.test_harvest import described

RUN = CliRunner(env={"COLUMNS": "80"})
NOW = datetime.now(timezone.utc)
NOON = NOW.replace(hour=12, minute=0, second=0, microsecond=0)
ALARM = {"evidence": 9_000.0, "alarms": ("mean_grey",)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        "state_dir: state\nmqtt: {port: 0}\nhttp: {port: 0}\n"
        "retrain: {automatic: propose, least_frames: 4, gate: {benchmark_pictures: 2, site_pictures: 2}}\n"
    )
    return path


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{config.parent / 'state' / 'fleet.sqlite'}")
    filled(opened, 2)
    quiet = [window(-day, model=OLD.ref.digest, noon=NOON) for day in (5, 4, 3)]
    changed = [window(-day, model=OLD.ref.digest, noon=NOON, **ALARM) for day in (2, 1)]
    opened.commit([Letter("site", "dev-00", drift(*quiet, *changed))])
    yield opened
    opened.close()


def new_variety(store: Store) -> None:
    with store.writing() as connection:
        say(connection, Label("site", None, None, Said.NEW_VARIETY, NOON - timedelta(days=4), None, "", "ann", NOW))


def bring_home(config: Path, store: Store, numbers: range) -> None:
    """Frames of the camera that has changed, five hours apart."""
    desk = FrameDesk(store, config.parent / "state" / "frames", FrameSettings())
    for number in numbers:
        frame, jpeg = described(number)
        told = frame.model_dump() | {
            "site": "site", "device": "dev-00", "camera": "cam", "model": OLD.ref.digest,
            "captured_at": NOON - timedelta(days=2) + timedelta(hours=5 * number),
        }  # fmt: skip
        frame = KeptFrame.model_validate(told)
        desk.announce("site/dev-00", frame.image, frame.encode())
        desk.take("site/dev-00", frame.image, 0, jpeg)


def run(config: Path, *words: object, code: int = 0) -> Result:
    done = RUN.invoke(app, [*map(str, words), "--config", str(config)])
    assert done.exit_code == code, done.output
    assert "--json" in words or max(map(len, done.stdout.splitlines()), default=0) <= 80, done.stdout
    return done


def proposed(config: Path, store: Store) -> str:
    new_variety(store)
    (made,) = json.loads(run(config, "retrain", "propose", "--json").stdout)
    return str(made["name"])


def comparison(folder: Path, *, after: float) -> Path:
    numbers = {"data": f"sha256:{1:064}", "pictures": 60, "champion": {"leaf_count_mae": 4.0, "mean_iou": 0.8}}
    slices = [
        Slice(name=name, candidate={"leaf_count_mae": after, "mean_iou": 0.8}, **numbers)
        for name in ("benchmark", "site:site", "drifted")
    ]
    path = folder / "comparison.json"
    path.write_bytes(Comparison(champion=OLD.ref, candidate=NEW.ref, made_at=NOW, slices=tuple(slices)).encode())
    return path


def actions(store: Store) -> list[str]:
    with store.reading() as connection:
        return [entry.action for entry in audit.entries(connection) if entry.action.startswith(("retrain", "rollout"))]


def test_drift_that_no_training_mends_opens_nothing(config: Path, store: Store) -> None:
    assert "nothing calls for training" in run(config, "retrain", "propose", code=4).stderr
    assert "no retraining yet" in run(config, "retrain", "list").stdout


def test_a_new_variety_opens_one_retraining_and_no_second(config: Path, store: Store) -> None:
    name = proposed(config, store)
    shown = run(config, "retrain", "show", name).stdout
    assert "new variety" in shown
    assert "site/dev-00/cam" in shown
    assert name in run(config, "retrain", "propose", code=4).stderr
    run(config, "retrain", "drop", name, "--why", "a mistake")
    (again,) = json.loads(run(config, "retrain", "propose", "--json").stdout)
    assert again["name"] != name
    assert actions(store) == ["retrain propose", "retrain drop", "retrain propose"]


def test_a_person_names_cameras_and_reason_whatever_drift_says(config: Path, store: Store) -> None:
    where = ("retrain", "propose", "--camera", "site/dev-01/top", "--why", "leaves under nets")
    assert "has not told which model" in run(config, *where, code=3).stderr
    info = Info(boot_id="b", software="s", hardware="h", python="3", model=OLD.ref.digest)
    store.commit([Letter("site", "dev-01", info)])
    assert "leaves under nets" in run(config, *where).stdout
    assert "names no camera" in run(config, "retrain", "propose", "--camera", "site", code=2).stderr


def test_what_the_gate_refuses_never_goes_out_and_what_it_passes_may(config: Path, store: Store, tmp_path) -> None:
    name, package = proposed(config, store), zipped(tmp_path, "1.1.0")
    bring_home(config, store, range(3))
    shut = run(config, "retrain", "judge", name, comparison(tmp_path, after=3.9), package, code=4)
    assert "refused" in shut.stdout
    assert "NO" in shut.stdout
    assert "the gate has refused" in run(config, "rollout", "create", "rosette-1.1.0", code=4).stderr
    run(config, "retrain", "judge", name, comparison(tmp_path, after=2.0), package)
    run(config, "rollout", "create", "rosette-1.1.0", "--dry-run")
    with store.reading() as connection:
        assert book.read(connection, name).stage is Stage.PASSED
    assert actions(store) == ["retrain propose", "retrain refused", "retrain passed"]


def test_a_comparison_of_other_models_judges_nothing(config: Path, store: Store, tmp_path: Path) -> None:
    name = proposed(config, store)
    other = zipped(tmp_path, "1.2.0")
    told = run(config, "retrain", "judge", name, comparison(tmp_path, after=2.0), other, code=2).stderr
    assert "canopy-export compare" in told
    (tmp_path / "none.json").write_text("{")
    assert "is no comparison" in run(config, "retrain", "judge", name, tmp_path / "none.json", other, code=2).stderr
    assert actions(store) == ["retrain propose"]


def test_the_service_proposes_by_itself_once_enough_frames_are_there_and_lays_them_out(
    config: Path, store: Store
) -> None:
    settings = load_settings(config)
    retrainer = Retrainer(store, settings)
    new_variety(store)
    bring_home(config, store, range(3))
    retrainer.look(NOW)
    assert actions(store) == []
    bring_home(config, store, range(3, 5))
    retrainer.look(NOW)
    retrainer.look(NOW)
    assert actions(store) == ["retrain propose", "retrain frames"]
    with store.reading() as connection:
        (case,) = book.listed(connection)
    laid = json.loads((settings.retrain_folder / case.name / FRAMES / "annotations.json").read_text())
    assert len(laid["images"]) == 5


def test_labels_start_the_rest_and_a_step_that_cannot_be_done_is_said_and_not_tried_again(
    config: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    config.write_text(config.read_text().replace("automatic: propose", "automatic: roll_out, fit: fit.yaml"))
    settings = load_settings(config)
    retrainer = Retrainer(store, settings)
    new_variety(store)
    bring_home(config, store, range(8))
    retrainer.look(NOW)
    (folder,) = settings.retrain_folder.iterdir()
    (folder / FRAMES / "labelled.json").write_text((folder / FRAMES / "annotations.json").read_text())
    retrainer.look(NOW)
    retrainer.look(NOW)
    assert caplog.text.count("updates.repository is not set") == 1


def test_frames_for_labelling_are_written_on_demand(config: Path, store: Store, tmp_path: Path) -> None:
    name = proposed(config, store)
    assert "no frame is selected" in run(config, "retrain", "frames", name, tmp_path / "d", code=3).stderr
    bring_home(config, store, range(3))
    assert "3 frames" in run(config, "retrain", "frames", name, tmp_path / "d").stdout
    assert "retrain frames" in actions(store)


def test_both_databases_keep_a_retraining_as_it_was(store_url: str, tmp_path: Path) -> None:
    opened = Store(store_url)
    filled(opened, 1)
    reason = Reason(OLD.ref.digest, (("site", "dev-00", "cam"),), NOON.date(), "asked for")
    measured = Comparison.model_validate_json(comparison(tmp_path, after=2.0).read_bytes())
    with opened.writing() as connection:
        case = book.propose(connection, reason, "ann", NOW)
        judged = book.file_judgement(connection, case, measured, NEW, ["site"], GateSettings(), "ann")
    with opened.reading() as connection:
        read = book.read(connection, case.name)
    opened.close()
    assert read == judged
    assert (read.stage, read.candidate, read.cameras) == (Stage.PASSED, NEW.ref, reason.cameras)
    assert [finding.ok for finding in read.findings] == [True] * len(read.findings)
    assert read.opened_at == NOW
