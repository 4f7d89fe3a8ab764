"""Objects under moving cameras and leaves over days: who is who, and how that is scored."""

from collections import Counter as Tally

import numpy as np
import pytest

from edge.calibration.movement import Affine
from edge.settings import IdentitySettings
from edge.tracking.leaves import CONFIRMED, KEPT_S, LEARN_EVERY_S, _Plant
from edge.tracking.moving import EgoMotion
from edge.tracking.passing import Found, Passing, Track
from training.synthetic.flyover import Rail, render_flyover
from training.trackscore import track_score

SIZE = 288, 512
SETTINGS = IdentitySettings(kind="moving")


def moved(x: float, y: float = 0.0) -> Affine:
    return np.array([[1.0, 0, x], [0, 1.0, y]])


def fly(
    places: list[tuple[float, float]], steps: list[float], missing: float = 0.0, seed: int = 0
) -> tuple[list[Track[int]], Passing[int]]:
    """Objects at (x, y) on a bench, and a camera that goes over them; what left on the way and at the end."""
    rng, passing = np.random.default_rng(seed), Passing[int](SIZE, SETTINGS)
    left: list[Track[int]] = []
    at = 0.0
    for step in steps:
        at += step
        found = [
            Found(x - at + rng.normal(0, 2), y + rng.normal(0, 2), True, number)
            for number, (x, y) in enumerate(places)
            if 0 <= x - at < 512 and rng.random() >= missing
        ]
        left += passing.step(found, moved(-step))
    return left, passing


BENCH = [(200.0 + 90 * column, 50.0 + 90 * row) for column in range(20) for row in range(3)]


def test_each_object_is_counted_once_with_what_was_measured_of_it() -> None:
    left, passing = fly(BENCH, [0.0] + [25.0] * 64)
    counted = [track.best for track in [*left, *passing.rest()]]

    assert sorted(counted) == list(range(60))


def test_objects_that_are_missed_in_a_fifth_of_the_pictures_are_counted_once() -> None:
    left, passing = fly(BENCH, [0.0] + [25.0] * 64, missing=0.2)

    assert len([*left, *passing.rest()]) == 60


def test_a_cart_that_comes_back_counts_nothing_again() -> None:
    left, passing = fly(BENCH, [0.0] + [40.0] * 38 + [-40.0] * 38)

    assert sorted(track.best for track in [*left, *passing.rest()]) == list(range(60))


def test_what_was_seen_once_is_not_counted() -> None:
    passing = Passing[int](SIZE, SETTINGS)
    passing.step([Found(250.0, 150.0, True, 1)], moved(0))
    for _ in range(30):
        assert passing.step([], moved(0)) == []

    assert passing.rest() == []


def test_doubtful_objects_continue_a_track_and_begin_none() -> None:
    passing = Passing[int](SIZE, SETTINGS)
    passing.step([Found(250.0, 150.0, True, 1)], moved(0))
    for _ in range(4):
        passing.step([Found(250.0, 150.0, False, 1), Found(100.0, 100.0, False, 2)], moved(0))

    assert [track.best for track in passing.rest()] == [1]


def test_the_camera_goes_on_as_before_where_corners_do_not_tell() -> None:
    rng = np.random.default_rng(4)
    bench = np.repeat(np.repeat(rng.integers(0, 255, (60, 160, 3)), 6, axis=0), 6, axis=1).astype(np.uint8)
    ego = EgoMotion(0.5)
    ego.step(bench[:288, :512])
    movement, known = ego.step(bench[:288, 40:552])
    blind = ego.step(np.full((288, 512, 3), 128, np.uint8))

    assert known
    assert movement[:, 2] == pytest.approx([-40, 0], abs=0.6)
    assert not blind[1]
    assert blind[0] is movement


def test_a_rendered_flyover_knows_its_plants_and_is_the_same_again() -> None:
    one, again = (list(render_flyover(3, Rail(step_px=400), columns=8)) for _ in range(2))

    assert all((a.pixels == b.pixels).all() for a, b in zip(one, again, strict=True))
    seen = Tally(int(number) for passage in one for number in passage.plants[:, 0])
    assert 20 <= len(seen) <= 24
    green = [
        (2.0 * pixel[1] - pixel[0] - pixel[2]) > 20
        for passage in one
        for _, x, y in passage.plants
        for pixel in [passage.pixels[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5].reshape(-1, 3).mean(axis=0)]
    ]
    assert np.mean(green) > 0.8


def test_perfect_tracks_score_one_and_none_score_nothing() -> None:
    truth = [np.array([[1, 10.0, 10.0], [2, 90.0, 10.0]]) + np.array([0, step, 0]) for step in range(5)]
    nothing = [np.zeros((0, 3)) for _ in truth]

    perfect = track_score(truth, truth, 10.0)
    assert (perfect.hota, perfect.detection, perfect.association, perfect.idf1) == pytest.approx((1, 1, 1, 1))
    assert track_score(truth, nothing, 10.0).hota == 0


def test_a_switch_of_identity_scores_as_by_hand() -> None:
    """One object in four pictures, called 1 in two of them and 2 in two, always on the spot.

    Every picture has its match, so the detection is 1. Each match is one of 2 with its track, out of 4 + 2 - 2 places:
    the association is 2 / 4. HOTA is the root of one half. The best pair of whole tracks explains 2 of 4 places on both
    sides: IDF1 is 2 * 2 / (4 + 4).
    """
    truth = [np.array([[7, 10.0, 10.0]])] * 4
    found = [np.array([[1 if step < 2 else 2, 10.0, 10.0]]) for step in range(4)]
    score = track_score(truth, found, 10.0)

    assert score.detection == pytest.approx(1)
    assert score.association == pytest.approx(0.5)
    assert score.hota == pytest.approx(np.sqrt(0.5))
    assert score.idf1 == pytest.approx(0.5)


def test_an_object_found_half_of_the_time_scores_as_by_hand() -> None:
    """Two of four: detection 2 / 4, association 2 / (4 + 2 - 2) for each match, IDF1 2 * 2 / (4 + 2)."""
    truth = [np.array([[7, 10.0, 10.0]])] * 4
    found = [np.array([[1, 10.0, 10.0]]) if step < 2 else np.zeros((0, 3)) for step in range(4)]
    score = track_score(truth, found, 10.0)

    assert (score.detection, score.association) == pytest.approx((0.5, 0.5))
    assert score.idf1 == pytest.approx(2 / 3)


LEAVES = np.array([[0.0, 8.0], [8.0, 0.0], [-8.0, 0.0], [0.0, -8.0], [3.0, 3.0]])


def days(plant: _Plant, places: np.ndarray, looks: int, start: int = 0) -> list[int]:
    return [plant.look(places.copy(), (start + index) * LEARN_EVERY_S) for index in range(looks)]


def test_a_leaf_that_is_covered_still_counts_for_three_days() -> None:
    plant = _Plant()
    assert days(plant, LEAVES, CONFIRMED) == [0] * CONFIRMED
    later = days(plant, LEAVES[1:], round(KEPT_S / LEARN_EVERY_S) + 3, start=CONFIRMED)

    assert later[0] == 1
    assert later[-1] == 0
    assert later.count(1) == round(KEPT_S / LEARN_EVERY_S)


def test_a_leaf_that_was_found_once_counts_once() -> None:
    plant = _Plant()
    days(plant, LEAVES, 1)

    assert days(plant, LEAVES[1:], 3, start=1) == [0, 0, 0]


def test_leaves_that_grow_and_sway_stay_themselves() -> None:
    plant = _Plant()
    missed = []
    for look in range(40):
        angle, growth = 0.06 * np.sin(look / 4), 1 + look / 40
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        missed.append(plant.look(LEAVES @ turn * growth, look * LEARN_EVERY_S))

    assert missed == [0] * 40


def test_pictures_of_one_hour_teach_only_once() -> None:
    plant = _Plant()
    for minute in range(0, 120, 10):
        plant.look(LEAVES.copy(), minute * 60.0)

    assert plant.look(LEAVES[1:].copy(), 7200.0) == 0


def test_a_clock_that_is_set_back_forgets_what_lies_ahead() -> None:
    plant = _Plant()
    days(plant, LEAVES, CONFIRMED, start=100)

    assert plant.look(LEAVES[1:].copy(), 0.0) == 0
    assert days(plant, LEAVES, CONFIRMED, start=1) == [0] * CONFIRMED
