"""The technician's command: what it prints, what it refuses, and the code that it ends with."""

import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.main import get_command
from typer.testing import CliRunner

from edge.cli import app
from edge.clock import read_clock, utc_now
from edge.contract.messages import Health, Tally
from edge.contract.records import Event, EventKind, Observation, Outcome, QualityFlag, TraitValue
from edge.lock import only_daemon_in
from edge.outbox import OUTBOX_FILE, Outbox
from edge.settings import OutboxSettings, load_settings
from edge.status import CameraStatus, Status, write_status
from tests.sim.green_model import build_green_package

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
ROOT = Path(__file__).parents[2]


def canopy(*words: object) -> Result:
    return RUN.invoke(app, [str(word) for word in words])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    build_green_package(tmp_path / "package")
    (tmp_path / "pictures").mkdir()
    path = tmp_path / "device.yaml"
    grid = {"kind": "grid", "rows": 3, "columns": 6}
    door = {"kind": "rtsp", "url": "rtsp://grower:s3cret@192.0.2.7/live"}
    tree = {
        "site": "gh",
        "device": "cam",
        "state_dir": "state",
        "inference": {"package": "package"},
        "cameras": [
            {"name": "top", "source": {"kind": "folder", "path": "pictures"}, "plots": grid},
            {"name": "door", "source": door, "interval_s": 600},
        ],
        "mqtt": None,
    }
    path.write_text(yaml.safe_dump(tree))
    return path


def observation(frame_id: int, plot: str = "R1C1", **fields: object) -> Observation:
    return Observation(
        camera="top", plot=plot, frame_id=frame_id, clock=read_clock(), **{"outcome": Outcome.MEASURED, **fields}
    )


MEASURED = (
    TraitValue(trait="leaf_count", value=7, unit="count", method="counted"),
    TraitValue(trait="projected_leaf_area", value=1234.5, unit="px2", method="=HYPERLINK(1)"),
)


@pytest.fixture
def stored(config: Path) -> Path:
    """A state directory with every kind of record, the first of them delivered."""
    state = config.parent / "state"
    outbox = Outbox(state / OUTBOX_FILE, OutboxSettings())
    outbox.append([
        observation(0, traits=MEASURED),
        observation(0, "R1C2", outcome=Outcome.NO_PLANT),
        observation(1, outcome=Outcome.NOT_TAKEN, quality=(QualityFlag.DARK,)),
        observation(2, outcome=Outcome.FAILED, error="the file is empty (0 bytes)"),
        Event(kind=EventKind.CAMERA_LOST, clock=read_clock(), camera="top", message="no answer"),
    ], {"top": Tally(captured=3, processed=2, failed=1)})  # fmt: skip
    outbox.advance(outbox.epoch, 1)
    outbox.close()
    return state


def test_tail_shows_every_kind_of_record_apart_within_80_columns(config, stored):
    shown = canopy("buffer", "tail", "--config", config)
    assert shown.exit_code == 0
    for text in ("leaves 7, 1,234 px²", "no plant", "not taken: dark", "failed: the file is empty", "no answer"):
        assert text in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_tail_selects_and_says_what_the_fleet_has(config, stored):
    records = json.loads(canopy("buffer", "tail", "--config", config, "--plot", "R1C1", "--json").stdout)
    assert [(record["content"]["frame_id"], record["delivered"]) for record in records] == [
        (0, True),
        (1, False),
        (2, False),
    ]
    newest = json.loads(canopy("buffer", "tail", "-n", 1, "--events", "--config", config, "--json").stdout)
    assert [record["content"]["kind"] for record in newest] == ["camera_lost"]
    assert json.loads(canopy("buffer", "tail", "--camera", "none", "--config", config, "--json").stdout) == []


def test_stats_count_what_waits(config, stored):
    stats = json.loads(canopy("buffer", "stats", "--config", config, "--json").stdout)
    assert (stats["entries"], stats["undelivered"], stats["tallies"]["top"]["captured"]) == (5, 4, 3)
    shown = canopy("buffer", "stats", "--config", config).stdout
    assert "5 stored, 4 of them wait" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_export_has_a_line_for_each_trait_and_one_where_there_is_none(config, stored):
    target = config.parent / "out.csv"
    assert canopy("buffer", "export", "--config", config, "-o", target).exit_code == 0
    lines = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [(line["plot"], line["outcome"], line["trait"], line["value"]) for line in lines] == [
        ("R1C1", "measured", "leaf_count", "7.0"),
        ("R1C1", "measured", "projected_leaf_area", "1234.5"),
        ("R1C2", "no_plant", "", ""),
        ("R1C1", "not_taken", "", ""),
        ("R1C1", "failed", "", ""),
    ]
    assert lines[1]["method"] == "'=HYPERLINK(1)", "a spreadsheet would compute it"
    assert lines[3]["quality"] == "dark"
    assert {path.name for path in config.parent.iterdir()} >= {"out.csv"}
    assert not list(config.parent.glob(".out.csv*"))


def test_the_export_leaves_out_what_is_older_and_goes_to_stdout(config, stored):
    later = canopy("buffer", "export", "--config", config, "--since", "2100-01-01")
    assert list(csv.DictReader(io.StringIO(later.stdout))) == []
    earlier = canopy("buffer", "export", "--config", config, "--since", "2001-01-01", "--plot", "R1C2")
    assert len(list(csv.DictReader(io.StringIO(earlier.stdout)))) == 1


def test_an_export_that_cannot_be_written_leaves_nothing_behind(config, stored):
    refused = canopy("buffer", "export", "--config", config, "-o", config.parent / "none" / "out.csv")
    assert refused.exit_code == 2
    assert "--output" in refused.stderr


def test_reading_goes_on_while_the_daemon_writes(config, stored):
    outbox, stop = Outbox(stored / OUTBOX_FILE, OutboxSettings()), threading.Event()

    def write() -> None:
        for frame_id in range(3, 100_000):
            if stop.is_set():
                return
            outbox.append([observation(frame_id)])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [
            json.loads(canopy("buffer", "stats", "--config", config, "--json").stdout)["entries"] for _ in range(5)
        ]
        exported = canopy("buffer", "export", "--config", config)
    finally:
        stop.set()
        writer.join()
        outbox.close()
    assert counts == sorted(counts)
    assert len(list(csv.DictReader(io.StringIO(exported.stdout)))) >= counts[-1]


def test_a_damaged_record_is_left_out(config, stored):
    with closing(sqlite3.connect(stored / OUTBOX_FILE)) as database, database:
        database.execute("UPDATE log SET body = ? WHERE seq = 2", (b"{}",))
    records = json.loads(canopy("buffer", "tail", "--config", config, "--json").stdout)
    assert [record["seq"] for record in records] == [1, 3, 4, 5]


def test_nothing_stored_yet_is_told_with_the_databases_code(config):
    for command in ("stats", "tail", "export"):
        refused = canopy("buffer", command, "--config", config)
        assert refused.exit_code == 5
        assert "no daemon has stored anything" in refused.stderr


def status(state: Path) -> Status:
    health = Health(
        at=utc_now(),
        boot_id="b",
        epoch="0" * 32,
        last_seq=90,
        watermark=40,
        frames={"top": Tally(captured=9, processed=9)},
        step_p50_ms=9.5,
        step_p95_ms=15,
        rss_bytes=120_000_000,
        outbox_bytes=5_000_000,
        temperatures_c={"cpu-thermal": 51.2},
    )
    cameras = {"top": CameraStatus(connected=True), "door": CameraStatus(connected=False, error="does not open")}
    found = Status(
        pid=1, started_at=utc_now(), site="gh", device="cam", model="green 1.0.0", update="green 1.1.0 shadow",
        connected=False, cameras=cameras, health=health, peak_rss_bytes=150_000_000,
    )  # fmt: skip
    state.mkdir(exist_ok=True)
    write_status(state, found)
    return found


def test_status_tells_how_a_running_daemon_does(config):
    state = config.parent / "state"
    status(state)
    with only_daemon_in(state):
        shown = canopy("status", "--config", config)
        document = json.loads(canopy("status", "--config", config, "--json").stdout)
    assert shown.exit_code == 0
    for text in (
        "runs as pid 1",
        "green 1.1.0 shadow",
        "50 wait",
        "not connected",
        "does not open",
        "cpu-thermal 51 °C",
    ):
        assert text in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert document["running"] is True


def test_status_of_a_daemon_that_is_gone_ends_with_1(config):
    assert canopy("status", "--config", config).exit_code == 1
    status(config.parent / "state")
    gone = canopy("status", "--config", config)
    assert gone.exit_code == 1
    assert "not running" in gone.stdout
    (config.parent / "state" / "status.json").write_text("{}")
    assert canopy("status", "--config", config).exit_code == 1


def test_config_check_tells_what_a_configuration_means_and_never_a_password(config):
    shown = canopy("config", "check", "--config", config)
    assert shown.exit_code == 0, shown.stderr
    for text in ("gh/cam", "3 x 6", "every 10 min", "rtsp rtsp://192.0.2.7", "none: results stay here"):
        assert text in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    as_json = canopy("config", "check", "--config", config, "--json")
    assert json.loads(as_json.stdout)["settings"]["cameras"][1]["interval_s"] == 600
    assert "s3cret" not in shown.stdout + as_json.stdout


@pytest.mark.parametrize(
    ("breaking", "code", "words"),
    [
        (lambda tree: tree.update(mqqt={}), 2, "mqqt"),
        (lambda tree: tree["cameras"][1]["source"].update(url="http://grower:s3cret@x"), 2, "url"),
        (lambda tree: tree["cameras"][0].update(interval_s=10, max_fps=2), 2, "exclude each other"),
        (lambda tree: tree["cameras"][0]["source"].update(path="nowhere"), 3, "source.path"),
        (lambda tree: tree["inference"].update(package="nowhere"), 4, "nowhere"),
        (lambda tree: tree.update(state_dir="device.yaml/state"), 5, "state_dir"),
    ],
)
def test_config_check_names_what_is_wrong_with_its_code(config, breaking, code, words):
    tree = yaml.safe_load(config.read_text())
    breaking(tree)
    config.write_text(yaml.safe_dump(tree))
    refused = canopy("config", "check", "--config", config)
    assert refused.exit_code == code
    assert words in refused.stderr
    assert "s3cret" not in refused.stderr


def test_a_missing_configuration_is_told_with_what_to_do():
    refused = canopy("run", "--config", "/nowhere/device.yaml")
    assert refused.exit_code == 2
    assert "--config" in refused.stderr


def test_run_until_the_end_refuses_a_camera_without_one(config):
    refused = canopy("run", "--until-end", "--config", config)
    assert refused.exit_code == 2
    assert "door has no end" in refused.stderr


def test_run_until_the_end_of_a_file_that_is_not_there_ends_with_the_cameras_code(config):
    tree = yaml.safe_load(config.read_text())
    tree["cameras"] = [{"name": "top", "source": {"kind": "video", "path": "none.mp4"}}]
    config.write_text(yaml.safe_dump(tree))
    refused = canopy("run", "--until-end", "--config", config, "--json")
    assert refused.exit_code == 3
    assert "set source.path" in refused.stderr
    assert json.loads(refused.stdout)["captured"] == 0


def test_a_second_daemon_in_one_state_directory_is_refused(config):
    with only_daemon_in(config.parent / "state"):
        refused = canopy("run", "--config", config)
    assert refused.exit_code == 5
    assert "another daemon" in refused.stderr


def test_version_and_completion():
    assert canopy("--version").stdout.startswith("canopy ")
    code = [sys.executable, "-c", "from edge.cli import app; app(prog_name='canopy')"]
    source = subprocess.run(
        code,
        env={"_CANOPY_COMPLETE": "source_bash", "PATH": "/usr/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "complete -o default -F" in source.stdout


def test_a_technicians_command_loads_neither_opencv_nor_onnxruntime(config):
    code = (
        "import sys; from edge.cli import app; app(sys.argv[1:], standalone_mode=False);"
        "print([name for name in ('cv2', 'onnxruntime', 'torch', 'paho') if name in sys.modules])"
    )
    for words in (["config", "check"], ["buffer", "stats"]):
        Outbox(config.parent / "state" / OUTBOX_FILE, OutboxSettings()).close()
        command = [sys.executable, "-c", code, *words, "--config", config]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert told.stdout.splitlines()[-1] == "[]"


def test_the_shipped_configuration_is_a_good_one():
    settings = load_settings(ROOT / "configs" / "device.yaml")
    assert settings.inference.package.samefile(ROOT / "packages" / "rosette")


def test_every_command_that_a_message_or_a_page_names_is_there() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined] - a group of commands
    prose = {"stay", "tells", "that", "darker", "cover", "height"}
    pages = [*(ROOT / "edge").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    for page in pages:
        for command, part in re.findall(r"\bcanopy ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", page.read_text("utf-8")):
            if command in prose:
                continue
            assert command in commands, f"{page}: canopy {command}"
            parts = getattr(commands[command], "commands", {part: None})
            assert not part or part in {*parts, "has"}, f"{page}: canopy {command} {part}"
