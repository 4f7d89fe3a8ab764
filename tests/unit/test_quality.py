import cv2
import numpy as np
import pytest

from edge.contract.records import QualityFlag
from edge.preprocess import fit
from edge.quality import QualityGate
from edge.settings import QualitySettings
from tests.sim.pictures import discs, read, real_pictures, soil
from training.synthetic import render_rosettes

DARK, OVEREXPOSED, BLURRED, FROZEN = QualityFlag.DARK, QualityFlag.OVEREXPOSED, QualityFlag.BLURRED, QualityFlag.FROZEN
LAMP = QualityFlag.LAMP


def judge(pixels, gate=None, size=512):
    return (gate or QualityGate(QualitySettings(), live=True)).judge(*fit(pixels, size, size))


def test_a_sharp_bright_picture_passes():
    assert judge(soil(480, 640)) == ()


def test_night_is_dark_and_nothing_else():
    assert judge(np.random.default_rng(0).integers(0, 4, (480, 640, 3), dtype=np.uint8)) == (DARK,)


def test_a_small_bright_plant_before_black_is_not_dark():
    assert judge(discs(np.zeros((500, 500, 3), np.uint8), [(250, 250, 25)])) == ()


def test_a_lamp_into_the_lens_is_overexposed():
    pixels = soil(480, 640)
    pixels[:, :400] = 255
    assert judge(pixels) == (OVEREXPOSED,)


def test_fog_on_the_lens_is_blurred():
    scene = discs(soil(480, 640), [(200, 200, 60), (300, 450, 60)])
    assert judge(scene) == ()
    assert judge(cv2.GaussianBlur(scene, (0, 0), 12)) == (BLURRED,)


def test_padding_does_not_make_a_blurred_strip_sharp():
    assert judge(cv2.GaussianBlur(soil(100, 640), (0, 0), 12)) == (BLURRED,)


def test_a_repeated_picture_is_frozen_from_the_fifth_time_on_and_no_longer():
    gate = QualityGate(QualitySettings(frozen_after=5), live=True)
    still = soil(120, 160)

    assert [judge(still, gate) for _ in range(6)] == [(), (), (), (), (FROZEN,), (FROZEN,)]
    assert judge(soil(120, 160, seed=1), gate) == ()
    assert judge(still, gate) == ()


def test_files_may_repeat_a_picture():
    gate = QualityGate(QualitySettings(frozen_after=2), live=False)
    assert [judge(soil(120, 160), gate) for _ in range(4)] == [()] * 4


def test_a_picture_of_another_size_is_not_a_repeat():
    gate = QualityGate(QualitySettings(frozen_after=2), live=True)
    assert judge(soil(120, 160), gate) == ()
    assert judge(soil(120, 120), gate) == ()


@pytest.mark.parametrize("size", [128, 512])
def test_of_the_real_seedling_tray_exactly_the_two_night_pictures_are_refused(size):
    refused = {path.stem: judge(read(path), size=size) for path in real_pictures("seedling-tray/*.png")}

    assert {name: flags for name, flags in refused.items() if flags} == {
        "VIS_TV_AA0168": (DARK,),
        "VIS_TV_AA0233": (DARK,),
    }


@pytest.mark.parametrize("folder", ["arabidopsis-timelapse", "arabidopsis-trays", "tray"])
def test_real_plants_pass_also_before_a_black_surround(folder):
    assert {path.stem: judge(read(path)) for path in real_pictures(f"{folder}/*.jpg") if judge(read(path))} == {}


def test_real_empty_pots_pass():
    assert {path.stem for path in real_pictures("empty-pot/*.png")[::8] if judge(read(path))} == set()


def under_purple_lamps(pixels, green=0.4):
    return np.clip(pixels * np.array([1.1, green, 1.1]), 0, 255).astype(np.uint8)


def test_purple_light_is_seen_on_rendered_plants_and_not_without_it():
    scenes = [render_rosettes(seed, 192, 256).pixels for seed in (1, 7, 11)]
    assert [LAMP in judge(scene) for scene in scenes] == [False] * 3
    assert [LAMP in judge(under_purple_lamps(scene)) for scene in scenes] == [True] * 3


@pytest.mark.parametrize("pattern", ["tray/*.jpg", "tomato/*.jpg", "seedling-tray/*.png", "colour-card/*.jpg"])
def test_no_real_picture_in_white_light_is_taken_for_purple(pattern):
    assert {path.stem for path in real_pictures(pattern)[:40] if LAMP in judge(read(path))} == set()


@pytest.mark.parametrize(
    ("settings", "flags", "forbidden"),
    [
        ({}, (), False),
        ({}, (LAMP,), False),
        ({"lamp": "skip"}, (LAMP,), True),
        ({}, (DARK,), True),
        ({"dark": "flag"}, (DARK,), False),
        ({"dark": "flag"}, (DARK, LAMP), False),
        ({"dark": "flag"}, (DARK, BLURRED), True),
    ],
)
def test_dark_and_purple_pictures_are_skipped_or_flagged_as_configured(settings, flags, forbidden):
    assert QualityGate(QualitySettings(**settings), live=True).forbids(flags) is forbidden
