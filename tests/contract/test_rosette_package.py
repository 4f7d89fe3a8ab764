"""The package that ships: it is what its manifest says, and it still sees real plants."""

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from edge.contract.records import Outcome
from edge.package import ModelPackage
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import decode
from edge.traits import measure
from export.golden import read_golden
from export.package import open_precision

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "packages/rosette"
PHOTOGRAPHS = REPOSITORY.parent / "shared/data"

real = pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason=f"the photographs are not at {PHOTOGRAPHS}")


@pytest.fixture(scope="module")
def package() -> ModelPackage:
    return ModelPackage.open(PACKAGE)


@pytest.fixture(scope="module")
def traits(package: ModelPackage):
    """Traits of a whole photograph, or None where no plant is."""
    backend, manifest = open_precision(package, "int8.cpu"), package.manifest

    def look(path: Path) -> dict[str, float] | None:
        pixels = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
        image, placement = fit(pixels, manifest.input.height_px, manifest.input.width_px)
        found = decode(backend.infer(image), manifest, placement)
        (frame,) = measure(image, found, Plots(None).on(placement), manifest)
        measured = frame.outcome is Outcome.MEASURED
        return {value.trait: value.value for value in frame.traits} if measured else None

    return look


@pytest.mark.parametrize("precision", ["int8.cpu", "fp16"])
def test_the_golden_frames_come_out_as_they_did_when_it_was_built(package: ModelPackage, precision) -> None:
    backend, size = open_precision(package, precision), package.manifest.input
    frames = list(read_golden(package))
    assert frames
    for golden in frames:
        assert golden.agrees(backend.infer(fit(golden.picture, size.height_px, size.width_px)[0])), golden.name


def test_no_convolution_of_the_int8_model_runs_in_float(package: ModelPackage, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(package.model("int8.cpu").read_bytes(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert kinds["Conv"] == kinds["FusedConv"] == 0
    assert kinds["QLinearConv"] >= 20


def test_the_package_is_small_enough_for_the_repository(package: ModelPackage) -> None:
    assert sum(entry.length_bytes for entry in package.manifest.files.values()) < 6_000_000


@real
def test_leaf_area_of_a_growing_rosette_rises_with_every_day(traits) -> None:
    folder = PHOTOGRAPHS / "arabidopsis-timelapse"
    with (folder / "leaf_counts.csv").open(encoding="utf-8") as file:
        days = [(traits(folder / row["file"]), float(row["leaves"])) for row in csv.DictReader(file)]
    areas = [found["projected_leaf_area"] for found, _ in days]
    assert areas == sorted(areas)
    assert np.mean([abs(found["leaf_count"] - leaves) for found, leaves in days]) <= 1.5


@real
def test_an_empty_pot_holds_no_plant(traits) -> None:
    pots = sorted((PHOTOGRAPHS / "empty-pot").glob("*.png"))[::8]
    assert [path.name for path in pots if (traits(path) or {}).get("plant_count")] == []


@real
def test_bare_soil_holds_no_plant(traits) -> None:
    assert traits(PHOTOGRAPHS / "seedling-tray/VIS_TV_AA0000.png") is None
