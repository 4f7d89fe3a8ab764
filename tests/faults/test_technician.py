"""A technician beside a running daemon, on a live network camera that takes a picture every ten minutes."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from edge.cli import app
from edge.control.client import ask
from edge.control.protocol import SOCKET, AskAim, AskLogs, AskWatch
from edge.daemon import Daemon
from edge.settings import load_settings
from edge.stored import Selection, stored_records
from tests.sim.green_model import build_green_package
from tests.sim.rtsp import RtspCamera
from tests.sim.spine import draw_pictures, wait_for

WITHIN_S = 30.0
RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


class Bench:
    """A configuration file, and a daemon that reads it again when it is told to."""

    def __init__(self, folder: Path, url: str) -> None:
        self.state, self.config = folder / "state", folder / "device.yaml"
        build_green_package(folder / "package")
        draw_pictures(folder / "pictures", 300)
        self.tree: dict[str, Any] = {
            "site": "gh",
            "device": "cam",
            "state_dir": "state",
            "inference": {"package": "package"},
            "cameras": [
                {"name": "live", "source": {"kind": "rtsp", "url": url}, "interval_s": 86_400},
                {"name": "files", "source": {"kind": "folder", "path": "pictures"}, "max_fps": 10},
            ],
            "outbox": {"commit_after_s": 0.05},
            "mqtt": None,
        }
        self.config.write_text(yaml.safe_dump(self.tree))
        self._daemon: Daemon | None = None

    def start(self) -> None:
        self._daemon = Daemon(load_settings(self.config), reread=partial(load_settings, self.config))
        self._thread = threading.Thread(target=self._daemon.run)
        self._thread.start()
        wait_for(lambda: "gives pictures" in self.canopy("status").stdout, WITHIN_S)

    def stop(self) -> None:
        if self._daemon:
            self._daemon.stop()
            self._thread.join(20)
            assert not self._thread.is_alive()
        self._daemon = None

    def canopy(self, *words: object) -> Result:
        return RUN.invoke(app, [*map(str, words), "--config", str(self.config)])

    def of_live(self) -> int:
        with stored_records(self.state) as records:
            return len(list(records.all(Selection(camera="live", observations_only=True))))


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.daemon.STATUS_EVERY_S", 0.2)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with RtspCamera() as camera:
        made = Bench(tmp_path, f"rtsp://127.0.0.1:{camera.port}/")
        yield made
        made.stop()


def test_pictures_for_the_eye_come_beside_a_time_lapse_and_make_no_readings(bench: Bench, tmp_path: Path) -> None:
    bench.start()
    aimed = bench.canopy("aim", "live", "--json", "-n", "3")
    assert aimed.exit_code == 0, aimed.stderr
    readings = [json.loads(line) for line in aimed.stdout.splitlines()]
    assert [(each["width_px"], each["height_px"]) for each in readings] == [(320, 240)] * 3
    for name in ("raw.png", "raw.jpg"):
        assert bench.canopy("snapshot", "live", "-o", tmp_path / name).exit_code == 0
        assert cv2.imread(str(tmp_path / name)).shape == (240, 320, 3)
    assert bench.of_live() == 0, "the time-lapse was disturbed"
    none_yet = bench.canopy("snapshot", "live", "--overlay", "--wait", "0", "-o", tmp_path / "o.jpg")
    assert (none_yet.exit_code, "no picture since" in none_yet.stderr) == (1, True)
    assert not (tmp_path / "o.jpg").exists()


def test_what_is_measured_is_seen_as_it_comes_drawn_and_in_lines(bench: Bench, tmp_path: Path) -> None:
    bench.start()
    watched = bench.canopy("watch", "--json", "-n", "4", "--camera", "files")
    assert {json.loads(line)["camera"] for line in watched.stdout.splitlines()} == {"files"}
    assert len(watched.stdout.splitlines()) == 4
    plain = bench.canopy("watch", "-n", "2", "--plot", "frame")
    assert "files/frame" in plain.stdout
    drawn = bench.canopy("snapshot", "files", "--overlay", "-o", tmp_path / "o.jpg")
    assert (drawn.exit_code, "from the daemon" in drawn.stdout) == (0, True)
    assert max(cv2.imread(str(tmp_path / "o.jpg")).shape) >= 960
    for words in (["snapshot", "door"], ["watch", "--camera", "door"], ["snapshot"]):
        refused = bench.canopy(*words)
        assert (refused.exit_code, "live, files" in refused.stderr) == (2, True)


def test_where_no_daemon_runs_the_camera_is_opened_by_the_command(bench: Bench, tmp_path: Path) -> None:
    taken = bench.canopy("snapshot", "live", "--overlay", "-o", tmp_path / "o.png")
    assert (taken.exit_code, "as no daemon runs" in taken.stdout) == (0, True)
    assert cv2.imread(str(tmp_path / "o.png")) is not None
    assert len(bench.canopy("aim", "live", "--json", "-n", "2").stdout.splitlines()) == 2
    watched = bench.canopy("watch")
    assert (watched.exit_code, "systemctl start canopy" in watched.stderr) == (1, True)
    assert bench.canopy("logs").exit_code in {0, 1}


def test_the_log_is_read_by_level_and_followed(bench: Bench) -> None:
    bench.start()
    log = logging.getLogger("edge.test")
    log.error("a grave matter")
    log.warning("a light matter")
    assert "grave" in bench.canopy("logs", "--level", "error").stdout
    assert "light" not in bench.canopy("logs", "--level", "error").stdout
    followed = ask(bench.state, AskLogs(lines=0, follow=True, level=logging.ERROR))
    threading.Timer(0.3, log.error, ["what came later"]).start()
    assert "what came later" in next(followed)["text"]
    followed.close()


def test_the_bundle_has_the_running_daemons_own_log(bench: Bench, tmp_path: Path) -> None:
    bench.start()
    logging.getLogger("edge.test").error("a grave matter")
    target = tmp_path / "bundle.zip"
    assert bench.canopy("support-bundle", "-o", target, "--timeout", "5").exit_code == 0
    with zipfile.ZipFile(target) as archive:
        assert "a grave matter" in archive.read("daemon.txt").decode()


def test_a_change_of_the_file_runs_when_it_is_applied_and_nothing_is_lost(bench: Bench) -> None:
    bench.start()
    assert bench.canopy("config", "diff").exit_code == 0
    bench.canopy("config", "set", "cameras.files.max_fps", "20")
    differs = bench.canopy("config", "diff", "--json")
    assert (differs.exit_code, json.loads(differs.stdout)) == (
        1,
        {"cameras.files.max_fps": {"runs": 10.0, "file": 20.0, "fleet": False}},
    )
    assert bench.canopy("config", "apply").exit_code == 0
    wait_for(lambda: bench.canopy("config", "diff").exit_code == 0, WITHIN_S)
    next(ask(bench.state, AskWatch()))
    bench.config.write_text(bench.config.read_text().replace("device: cam", "device: other"))
    refused = bench.canopy("config", "apply")
    assert (refused.exit_code, "restart" in refused.stderr) == (1, True)
    bench.config.write_text("cameras: []")
    assert bench.canopy("status").exit_code == 2
    bench.stop()
    with stored_records(bench.state) as records:
        events = [each.content["kind"] for each in records.all(Selection(events_only=True))]
    assert (events.count("started"), events.count("stopped")) == (2, 2)


def test_several_technicians_at_once_do_not_hold_up_the_loop(bench: Bench) -> None:
    bench.start()
    streams = [
        ask(bench.state, question)
        for question in (AskWatch(), AskWatch(), AskAim(camera="live"), AskAim(camera="files"))
    ]
    for _ in range(5):
        for stream in streams:
            assert next(stream)
    for stream in streams:
        stream.close()
    assert bench.canopy("status").exit_code == 0


def test_the_page_for_the_phone_has_the_live_picture(bench: Bench) -> None:
    bench.start()
    command = [sys.executable, "-c", "from edge.cli import app; app(prog_name='canopy')"]
    process = subprocess.Popen(
        [*command, "aim", "live", "--http", "127.0.0.1:0", "--config", str(bench.config)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    try:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(2)]
        url = lines[1].strip()
        with urllib.request.urlopen(f"{url}stream", timeout=20) as stream:
            assert b"image/jpeg" in stream.read1(10_000)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_after_a_kill_the_socket_is_stale_and_the_commands_say_so_until_a_daemon_is_back(bench: Bench) -> None:
    command = [sys.executable, "-c", "from edge.cli import app; app(prog_name='canopy')"]
    process = subprocess.Popen([*command, "run", "--config", str(bench.config)], stderr=subprocess.DEVNULL)
    try:
        wait_for((bench.state / SOCKET).exists, WITHIN_S)
    finally:
        process.kill()
        process.wait()
    assert (bench.state / SOCKET).exists()
    refused = bench.canopy("watch")
    assert (refused.exit_code, "no daemon runs" in refused.stderr) == (1, True)
    bench.start()
    assert bench.canopy("watch", "-n", "1").exit_code == 0
