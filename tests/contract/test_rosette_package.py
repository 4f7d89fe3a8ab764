"""The rosette package on photographs of real plants."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.contract.records import Outcome
from edge.package import ModelPackage
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import decode
from edge.traits import measure
from export.package import open_precision

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "packages/rosette"
PHOTOGRAPHS = REPOSITORY.parent / "shared/data"

pytestmark = pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason=f"the photographs are not at {PHOTOGRAPHS}")


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


def test_leaf_area_of_a_growing_rosette_rises_with_every_day(traits) -> None:
    folder = PHOTOGRAPHS / "arabidopsis-timelapse"
    with (folder / "leaf_counts.csv").open(encoding="utf-8") as file:
        days = [(traits(folder / row["file"]), float(row["leaves"])) for row in csv.DictReader(file)]
    areas = [found["projected_leaf_area"] for found, _ in days]
    assert areas == sorted(areas)
    assert np.mean([abs(found["leaf_count"] - leaves) for found, leaves in days]) <= 1.5


def test_an_empty_pot_holds_no_plant(traits) -> None:
    pots = sorted((PHOTOGRAPHS / "empty-pot").glob("*.png"))[::8]
    assert [path.name for path in pots if (traits(path) or {}).get("plant_count")] == []


def test_bare_soil_holds_no_plant(traits) -> None:
    assert traits(PHOTOGRAPHS / "seedling-tray/VIS_TV_AA0000.png") is None
