"""Real pictures through the real runtime: fit, judge, infer, decode, measure."""

import numpy as np
import pytest

from edge.backends import open_backend
from edge.contract.records import Outcome
from edge.package import ModelPackage
from edge.plots import Plots
from edge.preprocess import fit
from edge.segmentation import decode
from edge.settings import GridPlots, InferenceSettings
from edge.traits import measure
from tests.sim.green_model import build_green_package
from tests.sim.pictures import discs, read, real_pictures, soil


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Pixels, plots → the plots' entries, through the green model at 256x256."""
    folder = build_green_package(tmp_path_factory.mktemp("green"), height_px=256, width_px=256, top_k=100)
    package = ModelPackage.open(folder)
    backend = open_backend(package, InferenceSettings(package=folder))

    def measured(pixels, plots=None):
        image, placement = fit(pixels, 256, 256)
        found = decode(backend.infer(image), package.manifest, placement)
        return measure(image, found, Plots(plots).on(placement), package.manifest)

    return measured


def value(entry, trait):
    return next(found.value for found in entry.traits if found.trait == trait)


def test_the_area_of_drawn_plants_is_measured_in_px_of_the_picture(look):
    (entry,) = look(discs(soil(720, 1280), [(200, 300, 100), (500, 900, 150)]))

    assert value(entry, "plant_count") == 2
    assert value(entry, "projected_leaf_area") == pytest.approx(np.pi * (100**2 + 150**2), rel=0.15)
    assert value(entry, "extent_x") == pytest.approx(1050 - 200, rel=0.1)


def test_the_real_rosette_grows_from_day_to_day(look):
    days = [look(read(path))[0] for path in real_pictures("arabidopsis-timelapse/*.jpg")]

    areas = [value(day, "projected_leaf_area") for day in days]
    assert len(areas) == 12
    order = np.argsort(np.argsort(areas))
    assert np.corrcoef(order, np.arange(12))[0, 1] >= 0.95


def test_the_real_tray_gives_one_entry_for_each_pot(look):
    (path,) = real_pictures("tray/multiplant.jpg")
    entries = look(read(path), GridPlots(rows=3, columns=6))
    assert [entry.plot for entry in entries] == [f"R{row}C{column}" for row in (1, 2, 3) for column in range(1, 7)]


def test_real_empty_pots_hold_no_plant(look):
    outcomes = {look(read(path))[0].outcome for path in real_pictures("empty-pot/*.png")[:40:4]}
    assert outcomes == {Outcome.NO_PLANT}
