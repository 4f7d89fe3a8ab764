"""An exposure that wanders is told by how brightness jumps from picture to picture, whatever the day's light does."""

import math
from datetime import datetime, timedelta, timezone
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edge.contract.drift import DriftWindow
from edge.contract.records import Clock, Event
from edge.drift.flicker import LEAST_JUMPS, MOST_JUMPS, Flicker
from edge.drift.watch import DriftWatch
from edge.frame import Frame
from edge.model import Model
from edge.observe import Observer
from edge.preprocess import fit
from edge.settings import CameraSettings, DriftSettings, InferenceSettings
from tests.sim.green_model import build_green_package
from tests.sim.pictures import discs

BORN = datetime(2026, 3, 2, 6, tzinfo=timezone.utc)


def clock(at_s: float) -> Clock:
    return Clock(at=BORN + timedelta(seconds=at_s), monotonic_s=at_s, boot_id="test", clock_ok=True)


def after(levels: list[float], apart_s: float = 600.0) -> Flicker:
    flicker = Flicker()
    for number, level in enumerate(levels):
        image, placement = fit(np.full((64, 96, 3), level, np.uint8), 64, 64)
        flicker.take(clock(number * apart_s), image, placement)
    return flicker


def test_a_jump_is_told_in_stops_and_the_bars_beside_the_picture_do_not_count() -> None:
    assert after([63, 127, 63, 127]).told() == pytest.approx(1.0)
    assert after([100, 100, 100, 100]).told() == 0


def test_one_wild_picture_is_no_flicker() -> None:
    assert after([100, 100, 100, 250, 100, 100, 100]).told() == 0


def test_too_few_jumps_are_nothing_and_not_zero() -> None:
    assert math.isnan(after([60, 120, 60][: LEAST_JUMPS - 1]).told())
    flicker = after([60, 120, 60, 120, 60])
    assert flicker.told() > 0
    assert math.isnan(flicker.told()), "it begins anew"


def test_between_pictures_hours_apart_the_sun_moves_and_within_a_second_nothing_does() -> None:
    assert math.isnan(after([60, 120, 60, 120, 60], apart_s=3600).told())
    assert math.isnan(after([60, 120, 60, 120, 60], apart_s=0.1).told())


def test_memory_is_bounded() -> None:
    assert len(after([60, 120] * 100, apart_s=60)._jumps) == MOST_JUMPS


def test_the_observer_notes_every_picture_and_looks_at_few(tmp_path: Path) -> None:
    watch = DriftWatch("top", DriftSettings(), tmp_path / "drift", lambda _: None)
    model = Model(InferenceSettings(package=build_green_package(tmp_path / "package", height_px=64, width_px=64)))
    camera = CameraSettings(name="top", source={"kind": "v4l2", "device": 0})
    observer = Observer(camera, model, live=False, drift=watch)
    ground = discs(np.full((64, 64, 3), 60, np.uint8), [(30, 30, 12)])
    for number in range(8):
        pixels = np.clip(ground * (1.0 + number % 2), 0, 255).astype(np.uint8)
        observer.observe(Frame(pixels, number, "top", BORN + timedelta(minutes=10 * number), 600.0 * number))
    place = watch._memory.notes.names.index("flicker")
    values = watch._memory.recent.values[:, :, place]
    assert watch._memory.recent.place.sum() == 2, "two looks in seventy minutes"
    assert values[np.isfinite(values)] == pytest.approx([1.0], abs=0.1)


def watched(tmp_path: Path, wanders_on: int, days: int) -> list[Event]:
    """Six pictures an hour of a day, under a light that differs from day to day and hour to hour."""
    told: list[DriftWindow | Event] = []
    watch = DriftWatch("top", DriftSettings(), tmp_path / "drift", told.append)
    model = Model(InferenceSettings(package=build_green_package(tmp_path / "package", height_px=64, width_px=64))).use()
    rng, ground = np.random.default_rng(1), discs(np.full((64, 64, 3), 90, np.uint8), [(30, 30, 12)])
    for day in range(days):
        weather = rng.uniform(0.8, 1.2)
        for hour, minute in product(range(14), range(10, 70, 10)):
            stops = rng.uniform(-0.3, 0.3) if day >= wanders_on else 0.0
            light = weather * (0.8 + 0.015 * hour) * 2**stops * (1 + 0.01 * rng.normal())
            pixels = np.clip(ground * light + rng.normal(0, 2, ground.shape), 0, 255).astype(np.uint8)
            moment = clock(timedelta(days=day, hours=hour, minutes=minute).total_seconds())
            image, placement = fit(pixels, 64, 64)
            watch.glance(moment, image, placement)
            if watch.due(moment):
                watch.look(moment, model.package, image, placement, *model.look(image, placement))
    return [record for record in told if isinstance(record, Event)]


def test_an_exposure_that_wanders_about_the_same_brightness_is_told_within_the_day(tmp_path: Path) -> None:
    events = watched(tmp_path, wanders_on=16, days=17)
    assert events
    assert "flicker" in events[0].message


def test_a_light_that_differs_from_day_to_day_is_no_flicker(tmp_path: Path) -> None:
    assert watched(tmp_path, wanders_on=99, days=17) == []
