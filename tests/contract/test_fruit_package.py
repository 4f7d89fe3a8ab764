"""The fruit package on photographs from greenhouses, in blocks that training never saw."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.package import ModelPackage
from edge.preprocess import fit
from edge.segmentation import decode
from export.package import open_precision
from training.args import load_settings
from training.datasets import open_dataset
from training.datasets.split import split
from training.metrics import absolute_difference_in_count, difference_in_count

REPOSITORY = Path(__file__).parents[2]
PHOTOGRAPHS = REPOSITORY.parent / "shared/data/tomato"

pytestmark = pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason=f"the photographs are not at {PHOTOGRAPHS}")


def test_tomatoes_are_counted_in_pictures_that_training_never_saw() -> None:
    package = ModelPackage.open(REPOSITORY / "packages/fruit")
    backend, manifest = open_precision(package, "int8.cpu"), package.manifest
    settings = load_settings(REPOSITORY / "configs/training/fruit.yaml").data
    held_back = split(open_dataset(PHOTOGRAPHS), settings)[1]
    found, there = [], []
    for picture in held_back.pictures[::3]:
        pixels = np.asarray(cv2.imread(str(held_back.folder / picture.name), cv2.IMREAD_COLOR), np.uint8)
        image, placement = fit(pixels, manifest.input.height_px, manifest.input.width_px)
        found.append(len(decode(backend.infer(image), manifest, placement).objects))
        there.append(len(picture.annotations))
    assert absolute_difference_in_count(found, there) < 1.8
    assert abs(difference_in_count(found, there)) < 0.8
