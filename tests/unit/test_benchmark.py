"""``canopy benchmark`` measures the shipped model here, says why a runtime is missing, and leaves nothing behind."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from edge.cli import app
from tests.sim.green_model import build_green_package

PACKAGE = Path(__file__).parents[2] / "packages" / "rosette"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    camera = {"name": "top", "source": {"kind": "v4l2", "device": 0}}
    tree = {
        "site": "gh", "device": "cam", "state_dir": "state", "cameras": [camera],
        "inference": {"package": str(PACKAGE)},
    }  # fmt: skip
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def test_every_runtime_has_figures_or_a_reason_and_the_disk_is_as_it_was(config: Path, tmp_path: Path) -> None:
    words = ["benchmark", "--config", str(config), "--runs", "10", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    runtimes = {each["runtime"]: each for each in found["runtimes"]}
    assert set(runtimes) == {"cpu", "openvino", "cuda", "tensorrt"}
    assert all(bool(each["speed"]) != bool(each["missing"]) for each in runtimes.values())
    cpu = runtimes["cpu"]["speed"]
    assert 0 < cpu["infer"]["p50_ms"] < cpu["step"]["p50_ms"]
    write = found["write"]
    assert write["records_per_s"] > 0
    assert write["written_bytes_per_record"] is None or write["written_bytes_per_record"] >= 0
    assert list((tmp_path / "state").iterdir()) == []


def test_it_fits_80_columns(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.benchmark.RUNTIMES", ("cpu", "tensorrt"))
    words = ["benchmark", "--config", str(config), "--runs", "10"]
    done = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app, words)
    assert done.exit_code == 0
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "observations/s" in done.stdout


def test_a_package_without_golden_frames_has_nothing_to_measure_on(config: Path, tmp_path: Path) -> None:
    tree = yaml.safe_load(config.read_text())
    tree["inference"]["package"] = str(build_green_package(tmp_path / "green"))
    config.write_text(yaml.safe_dump(tree))
    done = CliRunner().invoke(app, ["benchmark", "--config", str(config)])
    assert (done.exit_code, "golden frames" in done.output) == (4, True)
