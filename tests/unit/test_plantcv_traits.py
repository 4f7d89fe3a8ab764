"""Traits that have PlantCV's name are PlantCV's: the same numbers on the same pixels and masks."""

import cv2
import pytest

from docs.traits import DIFFERENCES
from edge.contract.traits import VOCABULARY
from edge.region import Region
from edge.traits import OF_REGIONS
from tests.sim.pictures import real_pictures
from tests.sim.plantcv import answers, drawn_objects, real_objects

LIMITS = {"none": 0.0, "last digits": 1e-4, "0.001 %": 1e-5, "0.5 %": 5e-3}
"""What the words of docs/traits.md allow; shares and sizes were written down in five digits and more."""

SHARED = sorted(name for name in OF_REGIONS if VOCABULARY[name].plantcv)


def ours(item):
    """Trait → estimate, of the object cut out of its picture."""
    left, top, width, height = cv2.boundingRect(item.mask)
    box = slice(top, top + height), slice(left, left + width)
    region = Region(item.mask[box], item.pixels[box], top_px=top, left_px=left)
    return {name: OF_REGIONS[name](region) for name in SHARED}


def differences(objects):
    """Trait → object → relative difference to PlantCV, in parts of one; of shares the largest absolute one."""
    found = {name: {} for name in SHARED}
    for label, theirs in answers(objects).items():
        for name, estimate in ours(objects[label]).items():
            truth = theirs[VOCABULARY[name].plantcv]
            if name == "hue_distribution":
                pairs = zip(estimate.histogram, truth, strict=True)
                found[name][label] = max(abs(ours - theirs) for ours, theirs in pairs)
            else:
                if name.startswith("centroid"):
                    truth = truth[name == "centroid_y"] + 0.5  # PlantCV counts from the first pixel's middle
                found[name][label] = abs(estimate.value / truth - 1)
    return found


def limit(trait):
    return LIMITS[DIFFERENCES[trait].split(";")[0]]


@pytest.fixture(scope="module")
def drawn():
    return differences(drawn_objects())


@pytest.fixture(scope="module")
def real():
    real_pictures("arabidopsis-timelapse/masks/*.png")
    return differences(real_objects())


@pytest.mark.parametrize("trait", SHARED)
def test_drawn_objects_measure_as_in_plantcv(drawn, trait):
    assert max(drawn[trait].values()) <= limit(trait), drawn[trait]


@pytest.mark.parametrize("trait", SHARED)
def test_real_rosettes_and_leaves_measure_as_in_plantcv(real, trait):
    assert max(real[trait].values()) <= limit(trait), real[trait]


def test_every_trait_that_names_plantcvs_is_compared():
    assert set(SHARED) == {name for name, trait in VOCABULARY.items() if trait.plantcv}
    assert len(SHARED) == 14
