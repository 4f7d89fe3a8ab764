"""Rendered rosettes: the labels are exactly what the picture shows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.synthetic import RENDERERS, Scene, render_rosettes
from training.synthetic.scene import LEAF, PLANT
from training.synthetic.stands import Habit

SEEDS = range(12)


@pytest.fixture(scope="module", params=["rosettes", "stands"])
def renderer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def scenes(renderer: str) -> list[Scene]:
    return [RENDERERS[renderer].render(seed, 192, 256) for seed in SEEDS]


def test_the_same_seed_gives_the_same_scene_and_another_another(renderer: str, scenes: list[Scene]) -> None:
    again = RENDERERS[renderer].render(SEEDS[3], 192, 256)
    assert np.array_equal(again.pixels, scenes[3].pixels)
    assert np.array_equal(again.labels.instances, scenes[3].labels.instances)
    assert not np.array_equal(scenes[3].pixels, scenes[4].pixels)


def test_maps_have_the_size_that_was_asked_for(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert (scene.pixels.shape, scene.pixels.dtype) == ((192, 256, 3), np.uint8)
        assert (
            scene.labels.classes.shape
            == scene.labels.instances[LEAF].shape
            == scene.labels.instances[PLANT].shape
            == (192, 256)
        )


def test_class_leaf_and_plant_agree_at_every_pixel(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert (scene.labels.classes[scene.labels.instances[LEAF] > 0] == 1).all()  # a stem is leaf of no leaf
        assert np.array_equal(scene.labels.instances[LEAF] > 0, scene.labels.instances[PLANT] > 0)


def test_a_leaf_belongs_to_one_plant(scenes: list[Scene]) -> None:
    for scene in scenes:
        pairs = np.unique(
            np.stack([scene.labels.instances[LEAF].ravel(), scene.labels.instances[PLANT].ravel()]), axis=1
        )
        assert len(np.unique(pairs[0])) == pairs.shape[1]


def test_every_leaf_that_is_seen_has_its_centre_and_no_other_has(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert set(scene.labels.centres[LEAF][:, 0]) == set(np.unique(scene.labels.instances[LEAF])) - {0}
        for number, y, x in scene.labels.centres[LEAF]:
            rows, columns = np.nonzero(scene.labels.instances[LEAF] == number)
            np.testing.assert_allclose((y, x), (rows.mean(), columns.mean()), atol=1e-3)


def test_every_plant_that_is_seen_has_its_place_and_no_other_has(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert set(scene.labels.centres[PLANT][:, 0]) == set(np.unique(scene.labels.instances[PLANT])) - {0}


def test_scenes_differ_in_how_many_plants_they_hold() -> None:
    counts = [len(render_rosettes(seed, 128, 128).labels.centres[PLANT]) for seed in range(40)]
    assert min(counts) == 0
    assert 1 in counts
    assert max(counts) > 12


def test_an_old_plant_of_a_stand_has_many_leaves_as_long_as_each_other_and_a_few_small_ones() -> None:
    def lengths_px(age: float) -> NDArray[np.float64]:
        rng = np.random.default_rng(5)
        return np.array([leaf.length_px for leaf in Habit.any(rng).leaves(rng, age, 40) if not leaf.cotyledon])

    assert [len(lengths_px(age)) for age in (-2, 0, 3, 12)] == sorted(len(lengths_px(age)) for age in (-2, 0, 3, 12))
    assert len(lengths_px(-2)) == 0
    old_px = lengths_px(25)
    assert (old_px > 0.8 * old_px.max()).sum() > 12
    assert 1 <= (old_px < 0.4 * old_px.max()).sum() < 6


def test_leaves_are_mostly_greener_than_what_is_around_them(scenes: list[Scene]) -> None:
    def excess_green(scene: Scene, plant: bool) -> float:
        blue, green, red = scene.pixels[(scene.labels.classes > 0) == plant].astype(float).mean(0)
        return 2 * green - red - blue

    planted = [scene for scene in scenes if scene.labels.classes.any()]
    greener = [excess_green(scene, plant=True) > excess_green(scene, plant=False) for scene in planted]
    assert np.mean(greener) > 0.8
