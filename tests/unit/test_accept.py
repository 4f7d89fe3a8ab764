"""``canopy accept``: what it accepts, what it refuses, and what it writes down."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edge.acceptance.accept import accept
from edge.acceptance.board import PowerMeter, rails_w
from edge.acceptance.checks import trait_checks
from edge.acceptance.pictures import pictures_in
from edge.acceptance.report import Acceptance
from edge.backends import open_backend
from edge.cli import app
from edge.errors import CaptureError, PackageInvalid
from edge.package import ModelPackage
from edge.settings import EngineSettings, InferenceSettings
from tests.sim.answers import AnswerBackend, scene
from tests.sim.faked_nvidia import nvidia
from tests.sim.green_model import build_green_package, green_manifest
from tests.sim.pictures import discs, soil

__all__ = ["nvidia"]

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "packages" / "rosette"
SIZE = {"height_px": 64, "width_px": 64}
PICTURES = [discs(soil(64, 64), [(16 + 4 * n, 16, 8), (44, 48, 4 + n)]) for n in range(3)]


def silent(share: float, doing: str) -> None: ...


def on_tensorrt(tmp_path: Path) -> InferenceSettings:
    folder = build_green_package(tmp_path / "green", **SIZE)
    return InferenceSettings(package=folder, backend="tensorrt", engine=EngineSettings(folder=tmp_path / "engines"))


def test_an_engine_is_built_compared_with_the_cpu_and_measured(nvidia, tmp_path: Path) -> None:
    told: list[float] = []
    found = accept(on_tensorrt(tmp_path), PICTURES, 10, lambda share, _: told.append(share))
    assert told == sorted(told)
    assert found.engine is not None
    assert found.engine.built_now
    assert found.backend.startswith("tensorrt 10.3.0, fp32, CUDA graphs")
    traits = {check.name for check in found.checks if check.passed}
    assert {"plant_count", "leaf_count", "projected_leaf_area", "canopy_cover"} <= traits
    assert not found.passed, "the green package has no golden frames, and that is said"
    assert found.speed.infer.runs == 10
    assert found.speed.infer.p50_ms <= found.speed.infer.p99_ms <= found.speed.infer.max_ms


def test_an_engine_that_sees_other_plants_is_refused() -> None:
    manifest = green_manifest(**SIZE)
    truth = AnswerBackend(manifest, scene(manifest, [(4, 4), (11, 12)], [(4, 4, 2), (11, 12, 2)]))
    blind = AnswerBackend(manifest, scene(manifest))
    one_less = AnswerBackend(manifest, scene(manifest, [(4, 4)], [(4, 4, 2)]))
    assert all(check.passed for check in trait_checks(truth, truth, manifest, PICTURES))
    for other in (blind, one_less):
        refused = {check.name for check in trait_checks(other, truth, manifest, PICTURES) if not check.passed}
        assert {"plant_count", "leaf_count", "projected_leaf_area", "canopy_cover"} <= refused


def test_a_package_without_pictures_cannot_be_accepted(tmp_path: Path) -> None:
    folder = build_green_package(tmp_path / "green", **SIZE)
    with pytest.raises(PackageInvalid, match="no golden frames"):
        accept(InferenceSettings(package=folder, backend="cpu"), [], 10, silent)


def test_the_command_accepts_what_ships_and_writes_its_report(tmp_path: Path) -> None:
    report = tmp_path / "accept.json"
    command = ["accept", "--config", str(tmp_path / "none.yaml"), "--package", str(SHIPPED), "--runs", "10"]
    done = CliRunner().invoke(app, [*command, "--output", str(report)])
    assert done.exit_code == 0, done.output
    assert "accepted" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    written = Acceptance.model_validate_json(report.read_text())
    assert written.passed
    assert written.digest == ModelPackage.open(SHIPPED).digest
    assert "golden frames" in json.dumps(written.model_dump(mode="json"))


def test_the_command_ends_with_the_models_code_when_it_refuses(tmp_path: Path) -> None:
    folder = build_green_package(tmp_path / "green", **SIZE)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    import cv2

    cv2.imwrite(str(pictures / "1.png"), PICTURES[0])
    command = ["accept", "--config", str(tmp_path / "none.yaml"), "--package", str(folder), "--runs", "10"]
    done = CliRunner().invoke(app, [*command, "--pictures", str(pictures), "--output", str(tmp_path / "a.json")])
    assert done.exit_code == 4
    assert "refused" in done.stdout
    assert "the package has none" in done.stdout


def test_a_forced_backend_that_is_not_there_ends_with_the_models_code_and_no_report(tmp_path: Path) -> None:
    command = ["accept", "--config", str(tmp_path / "none.yaml"), "--package", str(SHIPPED), "--backend", "tensorrt"]
    done = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "a.json")])
    assert done.exit_code == 4
    assert "TensorRT is not installed" in done.stderr or "no GPU" in done.stderr
    assert not (tmp_path / "a.json").exists()


def test_a_backend_that_is_unknown_is_an_error_of_the_command_line(tmp_path: Path) -> None:
    command = ["accept", "--config", str(tmp_path / "none.yaml"), "--package", str(SHIPPED), "--backend", "abacus"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "'tensorrt'" in done.stderr


def test_a_folder_without_readable_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(CaptureError, match="no picture in"):
        pictures_in(tmp_path)


def test_every_picture_in_a_stream_of_pictures_is_checked(tmp_path: Path) -> None:
    folder = build_green_package(tmp_path / "green", **SIZE)
    backend = open_backend(ModelPackage.open(folder), InferenceSettings(package=folder, backend="cpu"))
    results = backend.infer_each(picture[None] for picture in PICTURES)
    assert all(
        np.array_equal(r.centers, backend.infer(p[None]).centers) for r, p in zip(results, PICTURES, strict=True)
    )


def rail(chip: Path, number: int, label: str, millivolts: int, milliamperes: int) -> None:
    chip.mkdir(parents=True, exist_ok=True)
    (chip / f"in{number}_label").write_text(f"{label}\n")
    (chip / f"in{number}_input").write_text(f"{millivolts}\n")
    (chip / f"curr{number}_input").write_text(f"{milliamperes}\n")


def test_power_is_read_from_the_boards_rails(tmp_path: Path) -> None:
    rail(tmp_path / "hwmon1", 1, "VDD_IN", 5000, 1500)
    rail(tmp_path / "hwmon1", 2, "VDD_CPU_GPU_CV", 5000, 400)
    (tmp_path / "hwmon1" / "in3_label").write_text("VDD_SOC\n")
    (tmp_path / "hwmon1" / "in4_label").write_bytes(b"\xff\xfe")
    (tmp_path / "hwmon2").mkdir()
    (tmp_path / "hwmon2" / "name").write_text("ina238\n")
    (tmp_path / "hwmon2" / "power1_input").write_text("2500000\n")
    assert rails_w(tmp_path) == {"VDD_IN": 7.5, "VDD_CPU_GPU_CV": 2.0, "ina238": 2.5}
    with PowerMeter(tmp_path) as meter:
        pass
    assert meter.mean_w == {"VDD_IN": 7.5, "VDD_CPU_GPU_CV": 2.0, "ina238": 2.5}
    with PowerMeter(tmp_path / "nothing") as nothing:
        pass
    assert nothing.mean_w == {}
