"""``canopy setup`` as a technician meets it: on a terminal, with wrong answers, Ctrl-C, and a real broker."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.settings import load_settings
from edge.setup.answers import answers_path
from edge.stored import Selection, stored_records
from tests.sim.green_model import build_green_package
from tests.sim.mosquitto import Mosquitto
from tests.sim.rtsp import RtspCamera
from tests.sim.spine import draw_pictures

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
WITHIN_S = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_green_package(tmp_path / "package")
    draw_pictures(tmp_path / "pictures", 3)
    return tmp_path


@pytest.fixture
def terminal(folder: Path) -> Iterator[Callable[..., Any]]:
    """Starts ``canopy setup`` on a pseudo-terminal of 80 columns."""
    started = []

    def start(*words: object) -> Any:
        program = ["-c", "from edge.cli import app; app(prog_name='canopy')", "setup"]
        given = ["--config", folder / "device.yaml", "--state-dir", folder / "state", *words]
        child = pexpect.spawn(
            sys.executable,
            [*program, *map(str, given)],
            encoding="utf-8",
            timeout=WITHIN_S,
            dimensions=(40, 80),
            cwd=str(folder),
            env={**os.environ, "NO_COLOR": "1"},
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def say(child: Any, question: str, answer: str) -> None:
    child.expect(question)
    child.sendline(answer)


def test_a_conversation_with_wrong_answers_ends_with_a_reading_on_the_disk(
    folder: Path, terminal: Callable[..., Any], mosquitto: Mosquitto
) -> None:
    child = terminal()
    say(child, "Name of the camera", "")
    say(child, "Camera ", str(folder / "nothing"))
    say(child, "is no camera.*Camera ", str(folder / "pictures"))
    say(child, "focus score.*Is this the picture", "y")
    say(child, "Model package", str(folder / "pictures"))
    say(child, "Model package", str(folder / "package"))
    say(child, "Plots ", "many")
    say(child, "says no plots.*Plots ", "2x2")
    say(child, "Do the plots lie right", "n")
    say(child, "Plots ", "1x2")
    say(child, "1 x 2|of 2 plots", "y")
    say(child, "Seconds between pictures", "0")
    say(child, "Name of the site", "my house")
    say(child, "is no name.*Name of the site", "gh-1")
    say(child, "Name of this device", "cam-1")
    say(child, "Fleet service", "none")
    say(child, "Broker", "127.0.0.1:1")
    say(child, "Keep it", "n")
    say(child, "Broker", f"127.0.0.1:{mosquitto.port}")
    child.expect("answers by MQTT 5")
    child.expect("is written")
    child.expect("the device measures")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    settings = load_settings(folder / "device.yaml")
    assert (settings.site, settings.device, settings.cameras[0].name) == ("gh-1", "cam-1", "top")
    assert settings.mqtt.port == mosquitto.port
    with stored_records(folder / "state") as records:
        plots = {each.content["plot"] for each in records.all(Selection(observations_only=True))}
    assert plots == {"R1C1", "R1C2"}
    assert not answers_path(folder / "device.yaml").exists()


def test_ctrl_c_leaves_nothing_half_done_and_the_next_setup_goes_on(folder: Path, terminal: Callable[..., Any]) -> None:
    child = terminal("--name", "top", "--model", folder / "package")
    say(child, "Camera ", str(folder / "pictures"))
    say(child, "Is this the picture", "y")
    child.expect("Plots ")
    child.sendintr()
    child.expect("nothing was changed")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    assert not (folder / "device.yaml").exists()
    assert answers_path(folder / "device.yaml").stat().st_mode & 0o777 == 0o600
    child = terminal(
        "--plots", "whole", "--interval", "0", "--site", "gh", "--device", "cam", "--fleet", "none", "--broker", "none"
    )
    say(child, "Is this the picture", "y")
    say(child, "Do the plots lie right", "y")
    child.expect("the device measures")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert load_settings(folder / "device.yaml").cameras[0].source.path == folder / "pictures"


def unattended(folder: Path, *words: object) -> Any:
    given = ["setup", "--yes", "--config", folder / "device.yaml", "--state-dir", folder / "state", *words]
    return RUN.invoke(app, [str(word) for word in given])


def test_unattended_on_a_network_camera_a_time_lapse_is_not_waited_for(folder: Path) -> None:
    with RtspCamera() as camera:
        url = f"rtsp://127.0.0.1:{camera.port}/"
        done = unattended(folder, "--camera", url, "--model", folder / "package", "--site", "gh", "--broker", "none")
    assert done.exit_code == 0, done.stderr
    assert "no plant" in done.stdout
    assert max(map(len, done.stdout.replace(str(folder), "").splitlines())) <= 90
    assert load_settings(folder / "device.yaml").cameras[0].interval_s == 600


def test_unattended_what_is_missing_is_named_and_nothing_is_written(folder: Path) -> None:
    missing = unattended(folder, "--camera", folder / "pictures", "--model", folder / "package", "--broker", "none")
    assert (missing.exit_code, "--site is not given" in missing.stderr) == (2, True)
    wrong = unattended(folder, "--camera", "rtsp://127.0.0.1:1/", "--site", "gh")
    assert (wrong.exit_code, "no picture" in wrong.stderr) == (3, True)
    assert not (folder / "device.yaml").exists()


def test_a_configuration_that_is_there_is_not_written_over(folder: Path) -> None:
    (folder / "device.yaml").write_text("site: mine\n")
    refused = unattended(folder)
    assert (refused.exit_code, "--again" in refused.stderr) == (2, True)
    assert (folder / "device.yaml").read_text() == "site: mine\n"
