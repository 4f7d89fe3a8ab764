"""An export on a stick is whole or not there, fits or is refused, and is the same as CSV and as Parquet."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from pyarrow import parquet
from typer.testing import CliRunner

from edge.cli import app
from edge.clock import read_clock
from edge.contract.records import Observation, Outcome, TraitValue
from edge.contract.traits import Unit
from edge.outbox import OUTBOX_FILE, Outbox
from edge.settings import OutboxSettings

RECORDS = 300


def observation(number: int) -> Observation:
    if number % 10 == 0:
        return Observation(camera="top", plot="P1", frame_id=number, clock=read_clock(), outcome=Outcome.NO_PLANT)
    traits = (
        TraitValue(trait="leaf_count", value=number, unit=Unit.COUNT, uncertainty=0.5),
        TraitValue(trait="projected_leaf_area", value=number * 1.5, unit=Unit.PX2),
    )
    return Observation(
        camera="top", plot="P1", frame_id=number, clock=read_clock(), outcome=Outcome.MEASURED, traits=traits
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    with closing(Outbox(tmp_path / OUTBOX_FILE, OutboxSettings())) as outbox:
        outbox.append([observation(number) for number in range(RECORDS)])
    path = tmp_path / "device.yaml"
    camera = {"name": "top", "source": {"kind": "v4l2", "device": 0}}
    tree = {"site": "gh", "device": "cam", "state_dir": ".", "inference": {"package": "p"}, "cameras": [camera]}
    path.write_text(yaml.safe_dump(tree))
    return path


def export(config: Path, output: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["buffer", "export", "--config", str(config), "--output", str(output)])
    return done.exit_code, done.output


def test_a_folder_gets_a_file_with_the_devices_name_and_the_message_that_it_may_be_pulled(
    config: Path, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    code, said = export(config, stick)
    (file,) = stick.iterdir()
    assert (code, file.name.startswith("gh_cam_"), file.suffix) == (0, True, ".csv")
    assert "may be pulled now" in said
    assert len(list(csv.DictReader(file.read_text().splitlines()))) == RECORDS // 10 + 2 * (RECORDS - RECORDS // 10)


def test_parquet_holds_what_csv_holds_and_missing_is_null(config: Path, tmp_path: Path) -> None:
    assert export(config, tmp_path / "out.parquet")[0] == export(config, tmp_path / "out.csv")[0] == 0
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == {
            name: str(float(text)) if name in {"value", "uncertainty"} and text else text for name, text in line.items()
        }
    assert rows[0]["value"] is None


def test_without_pyarrow_the_message_says_what_to_install(config: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from edge.cli import app; app()"
    words = ["buffer", "export", "--config", str(config), "--output", str(tmp_path / "out.parquet")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "canopy-edge[parquet]" in done.stderr) == (2, True)


@pytest.fixture
def small_stick(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this user may not mount a tmpfs: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_a_stick_that_is_too_small_is_refused_before_anything_is_written(config: Path, small_stick: Path) -> None:
    code, said = export(config, small_stick)
    assert (code, "take a larger stick" in said, list(small_stick.iterdir())) == (2, True, [])


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_stick_that_fills_on_the_way_leaves_no_half_file(
    config: Path, small_stick: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("edge.stick.free_bytes", lambda _: 2**40)
    (small_stick / "filler").write_bytes(b"x" * 62_000)
    code, said = export(config, small_stick / name)
    assert (code, "cannot write" in said) == (2, True), said
    assert [path.name for path in small_stick.iterdir()] == ["filler"]


@pytest.mark.parametrize(
    ("output", "said"), [("out.xlsx", "neither a folder"), ("gone/out.csv", "is the stick mounted")]
)
def test_a_wrong_target_is_said(config: Path, tmp_path: Path, output: str, said: str) -> None:
    code, told = export(config, tmp_path / output)
    assert (code, said in told.replace("\n", " ")) == (2, True)
