"""``canopy calibrate`` as a technician uses it: what it prints, keeps and refuses, and the code that it ends with."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from edge.calibration.board import BOARDS
from edge.calibration.store import CalibrationStore
from edge.cli import app
from edge.settings import CameraSettings
from tests.sim.bench import BenchCamera, developed
from tests.sim.colour_card import drawn_card, on_bench
from tests.sim.green_model import build_green_package

RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


def calibrate(*words: object) -> Result:
    return RUN.invoke(app, ["calibrate", *map(str, words)])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    build_green_package(tmp_path / "package", height_px=256, width_px=256, plant_cells=7)
    (tmp_path / "pictures").mkdir()
    tray = np.full((512, 512, 3), 90, np.uint8)
    for x in range(100, 500, 100):
        for y in range(150, 450, 100):
            cv2.circle(tray, (x, y), 30, (40, 170, 60), -1)
    cv2.imwrite(str(tmp_path / "pictures" / "2024-06-01T12-00-00.png"), tray)
    settings = {
        "site": "s",
        "device": "d",
        "state_dir": "state",
        "mqtt": None,
        "inference": {"package": "package"},
        "cameras": [{"name": "top", "source": {"kind": "folder", "path": "pictures"}}],
    }
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def board_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sheet = cv2.copyMakeBorder(BOARDS["a4"].picture(4.0), 40, 40, 60, 60, cv2.BORDER_CONSTANT, value=255)
    picture = developed(BenchCamera(tilt_degree=(8, 3)).look(sheet, 4.0), np.random.default_rng(1))
    path = tmp_path_factory.mktemp("board") / "board.png"
    cv2.imwrite(str(path), picture)
    return path


def test_a_board_is_drawn_with_what_to_check(tmp_path):
    for ending in ("pdf", "svg", "png"):
        result = calibrate("board", tmp_path / f"board.{ending}")
        assert result.exit_code == 0
        assert "252 mm wide" in result.output
        assert (tmp_path / f"board.{ending}").stat().st_size > 10_000
    assert calibrate("board", tmp_path / "board.doc").exit_code == 2


def test_a_scale_is_kept_and_shown(config, board_picture, tmp_path):
    result = calibrate(
        "scale", "top", "--config", config, "--picture", board_picture, "--overlay", tmp_path / "seen.png"
    )
    shown = calibrate("show", "--config", config)

    assert result.exit_code == 0, result.output
    assert "mm in the middle" in result.output
    assert "lens" in result.output
    assert "scale" in shown.output
    assert (tmp_path / "seen.png").is_file()
    assert max(map(len, shown.output.splitlines())) <= 80


def test_a_dry_run_and_a_picture_without_a_camera_keep_nothing(config, board_picture):
    assert calibrate("scale", "top", "-c", config, "--picture", board_picture, "--dry-run").exit_code == 0
    assert calibrate("scale", "-", "--picture", board_picture).exit_code == 0
    assert "not calibrated" in calibrate("show", "-c", config).output


def test_a_board_measured_with_a_ruler_scales_all(board_picture):
    sizes = [
        json.loads(calibrate("scale", "-", "--picture", board_picture, "--json", *measured).output)["plane"][0][0]
        for measured in ((), ("--measured-mm", 248))
    ]

    assert sizes[1] / sizes[0] == pytest.approx(248 / 252, rel=1e-6)


def test_a_distance_is_a_scale(config):
    result = calibrate("scale", "top", "-c", config, "--distance", 100, 100, 400, 500, 250, "--json")

    assert json.loads(result.output)["plane"][0][0] == pytest.approx(0.5)


def test_a_picture_without_a_board_ends_with_3_and_the_mend(config):
    result = calibrate("scale", "top", "-c", config)

    assert result.exit_code == 3
    assert "lay the board flat" in result.output


def test_a_card_is_found_and_kept(config, tmp_path):
    picture = tmp_path / "card.png"
    cv2.imwrite(str(picture), on_bench(drawn_card(), 8, 1.2, np.random.default_rng(5)))
    result = calibrate("colour", "top", "-c", config, "--picture", picture, "--overlay", tmp_path / "seen.png")

    assert result.exit_code == 0, result.output
    assert "before" in result.output
    assert CalibrationStore(config.parent / "state", "top").read().colour is not None


def test_plots_are_proposed_as_yaml_that_the_configuration_takes(config, tmp_path):
    result = calibrate("plots", "top", "-c", config, "--overlay", tmp_path / "plots.png")
    pasted = yaml.safe_load(result.output.split("to paste under the camera:\n")[1])
    camera = CameraSettings.model_validate({"name": "top", "source": {"kind": "folder", "path": "."}, **pasted})

    assert result.exit_code == 0, result.output
    assert "● R3C4" in result.output
    assert (camera.plots.rows, camera.plots.columns) == (3, 4)
    assert (tmp_path / "plots.png").is_file()
    assert CalibrationStore(config.parent / "state", "top").read().empty


def test_plots_are_applied_unless_the_configuration_draws_its_own(config):
    applied = calibrate("plots", "top", "-c", config, "--apply")
    settings = yaml.safe_load(config.read_text())
    settings["cameras"][0]["plots"] = {"kind": "grid", "rows": 1, "columns": 1}
    config.write_text(yaml.safe_dump(settings))
    refused = calibrate("plots", "top", "-c", config, "--apply")

    assert applied.exit_code == 0
    assert CalibrationStore(config.parent / "state", "top").read().plots is not None
    assert refused.exit_code == 2
    assert "comes first" in refused.output


def test_what_is_removed_comes_back_by_its_digest(config):
    calibrate("scale", "top", "-c", config, "--distance", 100, 100, 400, 500, 250)
    store = CalibrationStore(config.parent / "state", "top")
    before = store.read()
    removed = calibrate("remove", "top", "-c", config)
    assert store.read().empty
    back = calibrate("use", "top", before.digest[7:19], "-c", config)

    assert before.digest[7:19] in removed.output
    assert back.exit_code == 0
    assert store.read() == before


def test_an_unknown_camera_ends_with_2_and_names_those_there_are(config):
    result = calibrate("show", "side", "-c", config)

    assert result.exit_code == 2
    assert "it has top" in result.output


def test_heights_that_make_no_sense_end_with_3_and_not_with_a_traceback(config):
    words = ("scale", "top", "-c", config, "--distance", 100, 100, 400, 500, 250, "--canopy-height-mm", 90)
    without = calibrate(*words)
    beyond = calibrate(*words, "--camera-height-mm", 80)

    assert (without.exit_code, beyond.exit_code) == (3, 3)
    assert "camera's height" in without.output
    assert "reaches the camera" in beyond.output
