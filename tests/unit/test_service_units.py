"""The service's files: systemd understands them, they are tight, and they get to their places and away again."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from edge.cli import app
from edge.service.places import DROP_IN, PLACES, wanted_files
from edge.settings import load_settings

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "edge" / "service" / "units"
EXPOSURE_ASKED = 3.0

EXECUTABLE, CONFIG = Path("/opt/canopy/bin/canopy"), Path("/etc/canopy/device.yaml")


def systemd_analyze(*words: object) -> subprocess.CompletedProcess[str]:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    command = ["systemd-analyze", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNITS / "canopy.service")
    return parser


def test_systemd_understands_the_unit_with_what_the_installation_adds(tmp_path: Path) -> None:
    executable = tmp_path / "bin with space" / "canopy"
    executable.parent.mkdir()
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    for placed in wanted_files(executable, CONFIG, (Path("/mnt/50% full"),)):
        path = tmp_path / Path(placed.place).relative_to("etc")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(placed.content)
    done = systemd_analyze("verify", tmp_path / "systemd/system/canopy.service")
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_the_unit_is_tight() -> None:
    done = systemd_analyze("security", "--offline=true", "--no-pager", UNITS / "canopy.service")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= EXPOSURE_ASKED, done.stdout


def test_the_watchdog_and_the_restarts_are_what_the_daemon_is_made_for() -> None:
    service = unit()["Service"]
    assert (service["Type"], service["NotifyAccess"], service["WatchdogSec"]) == ("notify", "main", "60")
    assert service["Environment"] == "PYTHONFAULTHANDLER=1", "what is aborted says where it hung"
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", "2")
    starts_s = int(service["RestartSec"]) * int(unit()["Unit"]["StartLimitBurst"])
    assert starts_s < 3600, "else the limit is never met, and a driver that hangs is never helped by a reboot"
    assert "LogRateLimitBurst" in service


def test_what_may_be_lost_lies_in_memory_and_the_example_says_where() -> None:
    service = unit()["Service"]
    example = ROOT / "configs" / "device-service.yaml"
    assert load_settings(example).run_dir == Path("/run") / service["RuntimeDirectory"]
    assert load_settings(example).state_dir == Path("/var/lib") / service["StateDirectory"]
    assert (ROOT / "configs" / "systemd").resolve() == UNITS


def test_every_shipped_file_has_a_place_and_goes_into_the_wheel() -> None:
    assert {path.name for path in UNITS.iterdir()} == set(PLACES)
    assert '"service/units/*"' in (ROOT / "pyproject.toml").read_text()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "device.yaml"
    camera = {"name": "top", "source": {"kind": "v4l2", "device": 0}}
    tree = {"site": "gh", "device": "cam", "state_dir": str(tmp_path / "ssd"), "inference": {"package": "/p"}}
    path.write_text(yaml.safe_dump({**tree, "cameras": [camera]}))
    return path


def canopy(*words: object) -> str:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["service", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def test_installing_twice_changes_nothing_the_second_time_and_uninstalling_leaves_nothing(
    config: Path, tmp_path: Path
) -> None:
    root = tmp_path / "image"
    first = canopy("install", "--config", config, "--root", root)
    assert first.count("wrote ") == len(PLACES) + 1
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    second = canopy("install", "--config", config, "--root", root)
    assert (second.count("unchanged "), second.count("wrote ")) == (len(PLACES) + 1, 0)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    drop_in = (root / DROP_IN).read_text()
    assert f"run --config {config}" in drop_in
    assert f"RequiresMountsFor={tmp_path / 'ssd'}" in drop_in
    (root / PLACES["canopy.service"]).write_text("[Service]\n")
    standing = canopy("status", "--config", config, "--root", root, "--json")
    assert (standing.count("as shipped"), standing.count('"changed"')) == (len(PLACES), 1)
    assert canopy("uninstall", "--root", root).count("removed ") == len(PLACES) + 1
    assert [path for path in root.rglob("*") if path.is_file()] == []
    assert "removed" not in canopy("uninstall", "--root", root)
