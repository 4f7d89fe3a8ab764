"""Whether a camera moved: rendered months, real time-lapses, and knocks of known size."""

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.calibration.movement import Landmarks, Movement
from edge.calibration.standing import Finding, Standing
from edge.settings import MovementSettings
from tests.sim.pictures import REAL, read
from training.synthetic.timelapse import Tray, render_timelapse

LIMITS = MovementSettings()
SIZE = 512, 288


def plants(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What a model would call plant, roughly."""
    blue, green, red = (picture[..., channel].astype(int) for channel in range(3))
    return cv2.dilate(((2 * green - red - blue) > 24).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


@cache
def month() -> list[NDArray[np.uint8]]:
    """Every 40 hours, by lamps and by sun."""
    pictures = (moment.scene.pixels for moment in render_timelapse(101, Tray(), 30, 40))
    return [np.asarray(cv2.resize(each, SIZE, interpolation=cv2.INTER_AREA), np.uint8) for each in pictures]


def knocked(picture: NDArray[np.uint8], shift: float, turn_degree: float) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    move = cv2.getRotationMatrix2D((width / 2, height / 2), turn_degree, 1)
    move[0, 2] += shift * width
    return cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def looks(pictures: list[NDArray[np.uint8]], reference: NDArray[np.uint8]) -> list[Movement | None]:
    marks = Landmarks(reference, plants(reference))
    return [marks.movement_to(Landmarks(each, plants(each))) for each in pictures]


def beyond(movement: Movement | None) -> bool:
    return movement is not None and (
        movement.share > LIMITS.shift_share or abs(movement.turn_degree) > LIMITS.turn_degree
    )


def test_a_month_of_growth_and_light_is_no_movement() -> None:
    seen = looks(month(), month()[0])

    assert all(movement is not None for movement in seen)
    assert max(movement.share for movement in seen if movement) < 0.001


@pytest.mark.parametrize(("shift", "turn"), [(0.02, 0.0), (-0.02, 0.0), (0.0, 1.0), (0.0, -1.0), (0.013, 0.5)])
def test_a_knock_is_seen_on_any_day_of_the_month_and_measured(shift: float, turn: float) -> None:
    seen = looks([knocked(picture, shift, turn) for picture in month()], month()[0])

    assert all(beyond(movement) for movement in seen)
    for movement in seen:
        assert movement is not None
        assert movement.shift[0] == pytest.approx(shift, abs=0.002)
        assert movement.turn_degree == pytest.approx(-turn, abs=0.15)


def test_a_hand_in_the_picture_is_no_movement() -> None:
    rng = np.random.default_rng(2)
    hands = []
    for picture in month():
        hand = picture.copy()
        x = int(rng.integers(60, 400))
        cv2.ellipse(hand, (x, 250), (70, 190), float(rng.uniform(-40, 40)), 0, 360, (120, 150, 210), -1)
        hands.append(hand)

    assert not any(beyond(movement) for movement in looks(hands, month()[0]))


def test_night_and_a_wall_tell_nothing() -> None:
    dark = np.full_like(month()[0], 6)
    wall = np.full_like(month()[0], 150)

    assert looks([dark, wall], month()[0]) == [None, None]


@pytest.mark.skipif(not REAL.is_dir(), reason="the photographs are not here")
@pytest.mark.parametrize("folder", ["arabidopsis-timelapse", "seedling-tray", "empty-pot"])
def test_real_time_lapses_raise_no_alarm(folder: str) -> None:
    paths = sorted([*(REAL / folder).glob("*.jpg"), *(REAL / folder).glob("*.png")])[::2]
    pictures = [read(path) for path in paths]
    scale = 512 / max(pictures[0].shape[:2])
    size = round(pictures[0].shape[1] * scale), round(pictures[0].shape[0] * scale)
    fitted = [np.asarray(cv2.resize(picture, size), np.uint8) for picture in pictures]

    assert not any(beyond(movement) for movement in looks(fitted, fitted[0]))


def at(share: float, turn: float = 0.0) -> Movement:
    return Movement(share=share, shift=(share, 0.0), turn_degree=turn, zoom=1.0, agreed=100)


def test_a_knock_is_told_once_when_it_is_confirmed_and_the_return_too() -> None:
    standing = Standing(MovementSettings(confirmations=3))
    story = [standing.look(at(share)) for share in (0, 0.05, 0.05, 0.05, 0.05, 0.05, 0, 0, 0, 0)]

    assert story == [None, None, None, Finding.MOVED, None, None, None, None, Finding.BACK, None]


def test_looks_that_differ_confirm_nothing_and_looks_that_tell_nothing_do_not_refute() -> None:
    standing = Standing(MovementSettings(confirmations=2))

    assert [standing.look(each) for each in (at(0.05), at(0), at(0.05), None, at(0.05))][-1] is Finding.MOVED
    assert standing.moved


def test_a_turn_alone_is_a_knock() -> None:
    standing = Standing(MovementSettings(confirmations=1))

    assert standing.look(at(0.005, turn=-1.0)) is Finding.MOVED


def test_a_camera_that_recognises_nothing_is_told_of_once() -> None:
    standing = Standing(MovementSettings(doubt_after=4))

    assert [standing.look(None) for _ in range(8)] == [None, None, None, Finding.UNKNOWN, None, None, None, None]
    assert not standing.moved
