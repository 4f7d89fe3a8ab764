"""A camera's calibration: how it is kept and named, what observations carry, and what a knock does."""

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.calibration import store as stores
from edge.calibration.change import drop, put_colour, put_plots, put_reference, put_scale
from edge.calibration.chart import PATCHES_LAB
from edge.calibration.colourspace import encoded, from_lab
from edge.calibration.correction import find_correction
from edge.calibration.record import Calibration, Scale
from edge.calibration.scale import Heights, scale_from_distance
from edge.calibration.store import CalibrationStore
from edge.calibration.watch import LOOK_EVERY_S, CalibrationWatch
from edge.contract.records import EventKind, Observation, Outcome, QualityFlag
from edge.contract.traits import Unit
from edge.errors import StoreError
from edge.frame import Frame
from edge.model import Model
from edge.observe import Observer
from edge.settings import CameraSettings, GridPlots, IdentitySettings, InferenceSettings
from tests.sim.colour_card import CAMERA
from tests.sim.green_model import build_green_package

NOON = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)
SIZE = 512, 512
MM_PER_PX = 0.5


def bench(seed: int = 5, discs: tuple[int, ...] = (150, 370)) -> NDArray[np.uint8]:
    """A speckled bench with two green discs of 60 px, uint8 [512, 512, 3]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 160, (64, 64)).astype(np.uint8)
    grey = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_NEAREST)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for x in discs:
        cv2.circle(picture, (x, 256), 60, (40, 170, 60), -1)
    return np.asarray(picture, np.uint8)


def distance_scale() -> Scale:
    return scale_from_distance(((100.0, 100.0), (300.0, 100.0)), 200 * MM_PER_PX, 0.2, SIZE, Heights())


@pytest.fixture
def store(tmp_path: Path) -> CalibrationStore:
    return CalibrationStore(tmp_path / "state", "top")


class Bench:
    """A camera over the bench, its observer, and what was told."""

    def __init__(self, tmp_path: Path, store: CalibrationStore, **settings: object) -> None:
        package = build_green_package(tmp_path / "package", height_px=256, width_px=256, plant_cells=15)
        self.camera = CameraSettings.model_validate(
            {"name": "top", "source": {"kind": "folder", "path": str(tmp_path)}, "movement": {"every_s": 0}, **settings}
        )
        self.events: list[tuple[EventKind, str, dict]] = []
        watch = CalibrationWatch(
            store, self.camera, lambda kind, _, message, detail: self.events.append((kind, message, detail))
        )
        self.observer = Observer(self.camera, Model(InferenceSettings(package=package)), live=False, calibration=watch)
        self.number = 0

    def see(self, picture: NDArray[np.uint8]) -> list[Observation]:
        self.number += 1
        at_s = self.number * (LOOK_EVERY_S + 1)
        return self.observer.observe(Frame(picture, self.number, "top", NOON, at_s))


def value(observation: Observation, trait: str):
    return next(each for each in observation.traits if each.trait == trait)


def test_an_uncalibrated_camera_measures_in_px_and_says_no_calibration(tmp_path, store):
    (seen,) = Bench(tmp_path, store).see(bench())

    assert seen.calibration is None
    assert value(seen, "projected_leaf_area").unit is Unit.PX2
    assert "not calibrated" in value(seen, "greenness").method


def test_a_calibrated_camera_measures_in_mm_with_the_digest_on_every_observation(tmp_path, store):
    found = put_scale(store, distance_scale(), bench(), None)
    place = Bench(tmp_path, store)
    (seen,) = place.see(bench())

    area, width = value(seen, "projected_leaf_area"), value(seen, "extent_x")
    assert seen.calibration == found.digest
    assert (area.unit, width.unit) == (Unit.MM2, Unit.MM)
    assert area.value == pytest.approx(2 * np.pi * 60**2 * MM_PER_PX**2, rel=0.05)
    assert width.value == pytest.approx((220 + 121) * MM_PER_PX, rel=0.03)
    assert "calibrated plane" in area.method
    assert value(seen, "centroid_x").unit is Unit.PX
    dark = place.see(np.zeros_like(bench()))
    assert [each.calibration for each in dark] == [found.digest]


def test_the_calibration_is_in_the_uncertainty(tmp_path, store):
    sure, unsure = distance_scale(), distance_scale().model_copy(update={"board_sd": 0.1})
    deviations = []
    for number, scale in enumerate((sure, unsure)):
        put_scale(store, scale, bench(), None)
        (seen,) = Bench(tmp_path / str(number), store).see(bench())
        deviations.append(value(seen, "projected_leaf_area"))

    assert deviations[1].uncertainty == pytest.approx(
        np.hypot(deviations[0].uncertainty, 0.2 * deviations[1].value), rel=0.02
    )


def test_a_scale_of_another_picture_size_gives_no_mm(tmp_path, store):
    put_scale(store, distance_scale(), bench(), None)
    larger = np.asarray(cv2.resize(bench(), (1024, 1024)), np.uint8)
    (seen,) = Bench(tmp_path, store).see(larger)

    assert value(seen, "projected_leaf_area").unit is Unit.PX2


def test_a_calibration_made_while_the_daemon_runs_is_taken_up_and_told_once(tmp_path, store):
    place = Bench(tmp_path, store)
    place.see(bench())
    found = put_plots(store, GridPlots(rows=1, columns=2), bench())
    seen = [place.see(bench()) for _ in range(2)]

    assert [each.plot for each in seen[0]] == ["R1C1", "R1C2"]
    assert [(kind, detail["calibration"]) for kind, _, detail in place.events] == [
        (EventKind.CAMERA_CALIBRATED, found.digest)
    ]
    assert Bench(tmp_path / "again", store).events == []


def test_plots_of_the_configuration_come_before_those_of_the_calibration(tmp_path, store):
    put_plots(store, GridPlots(rows=1, columns=2), bench())
    seen = Bench(tmp_path, store, plots={"kind": "grid", "rows": 1, "columns": 3}).see(bench())

    assert [each.plot for each in seen] == ["R1C1", "R1C2", "R1C3"]


def test_a_knock_is_flagged_told_once_and_taken_back(tmp_path, store):
    put_scale(store, distance_scale(), bench(), None)
    place = Bench(tmp_path, store)
    shifted = np.asarray(np.roll(bench(), 24, axis=1), np.uint8)
    before = place.see(bench())[0]
    while_moved = [place.see(shifted)[0] for _ in range(5)][-1]
    back = [place.see(bench())[0] for _ in range(5)][-1]

    assert (before.quality, while_moved.quality, back.quality) == ((), (QualityFlag.MOVED,), ())
    assert while_moved.outcome is Outcome.MEASURED
    units = [value(each, "projected_leaf_area").unit for each in (before, while_moved, back)]
    assert units == [Unit.MM2, Unit.PX2, Unit.MM2]
    moves = [(message, detail) for kind, message, detail in place.events if kind is EventKind.CAMERA_MOVED]
    assert [detail["moved"] for _, detail in moves] == [True, False]
    assert moves[0][1]["shift_px"] == pytest.approx(24, abs=1.5)
    assert moves[0][1]["shift_mm"] == pytest.approx(24 * MM_PER_PX, abs=1)
    assert "again" in moves[1][0]


def test_a_new_calibration_ends_a_knock(tmp_path, store):
    put_reference(store, bench())
    place = Bench(tmp_path, store)
    shifted = np.asarray(np.roll(bench(), 24, axis=1), np.uint8)
    for _ in range(5):
        place.see(shifted)
    put_reference(store, shifted)

    assert place.see(shifted)[0].quality == ()


def test_colours_are_corrected_and_say_so(tmp_path, store):
    correction = find_correction(encoded(np.clip(from_lab(PATCHES_LAB), 0, None) @ CAMERA.T))
    put_colour(store, correction, bench(), np.array([[0.0, 0], [50, 0], [50, 30], [0, 30]]))
    (seen,) = Bench(tmp_path, store).see(bench())
    (plain,) = Bench(tmp_path / "plain", CalibrationStore(tmp_path / "none", "top")).see(bench())

    assert value(seen, "greenness").method.endswith("corrected by colour card")
    assert abs(value(seen, "greenness").value - value(plain, "greenness").value) > 0.01
    assert value(seen, "projected_leaf_area") == value(plain, "projected_leaf_area")


def test_a_damaged_calibration_measures_uncalibrated_and_is_refused_by_the_commands(tmp_path, store):
    put_scale(store, distance_scale(), bench(), None)
    store.current.write_bytes(b'{"camera": "top", "scale": {"kind": "board"}}')
    (seen,) = Bench(tmp_path, store).see(bench())

    assert value(seen, "projected_leaf_area").unit is Unit.PX2
    assert seen.calibration is None
    with pytest.raises(StoreError, match="damaged"):
        store.read()


def test_an_altered_reference_picture_is_not_looked_at(tmp_path, store):
    found = put_reference(store, bench())
    assert found.reference is not None
    (store.folder / f"{found.reference.picture[7:]}.png").write_bytes(b"something else")
    place = Bench(tmp_path, store)

    assert [place.see(bench())[0].outcome for _ in range(3)] == [Outcome.MEASURED] * 3


def test_what_was_in_force_is_kept_and_comes_back_the_same(store):
    first = put_scale(store, distance_scale(), bench(), None)
    second = put_plots(store, GridPlots(rows=2, columns=3), bench())
    assert second.scale == first.scale
    drop(store, None)

    assert store.read().empty
    assert set(store.all()) == {first.digest, second.digest}
    assert store.kept(first.digest) == first


def test_one_part_is_dropped_and_the_others_stay(store):
    put_scale(store, distance_scale(), bench(), None)
    put_plots(store, GridPlots(rows=2, columns=3), bench())
    left = drop(store, "plots")

    assert left.plots is None
    assert left.plots_at is None
    assert left.scale == distance_scale()


def test_the_digest_is_that_of_what_is_read_back(store):
    written = put_scale(store, distance_scale(), bench(), np.array([[-5.0, 3], [600, 0], [600, 600], [0, 600]]))

    assert store.read().digest == written.digest


def test_a_write_that_fails_leaves_the_old_calibration(store, monkeypatch):
    before = put_scale(store, distance_scale(), bench(), None)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stores, "write_whole", full)
    with pytest.raises(StoreError, match="No space left"):
        put_plots(store, GridPlots(rows=2, columns=3), bench())
    monkeypatch.undo()
    assert store.read() == before


def test_the_calibration_of_another_camera_is_refused(store, tmp_path):
    put_scale(store, distance_scale(), bench(), None)
    other = CalibrationStore(tmp_path / "state", "side")
    other.folder.mkdir(parents=True)
    other.current.write_bytes(store.current.read_bytes())

    with pytest.raises(StoreError, match="that of camera top"):
        other.read()


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_file_is_taken_for_a_calibration_that_is_none(tmp_path_factory, content):
    store = CalibrationStore(tmp_path_factory.mktemp("any"), "top")
    store.folder.mkdir(parents=True, exist_ok=True)
    store.current.write_bytes(content)
    with pytest.raises(StoreError):
        store.read()


def test_a_moving_camera_tells_of_each_plant_once_and_of_those_in_sight_at_the_end(tmp_path, store):
    place = Bench(tmp_path, store, identity={"kind": "moving"})
    wide = np.concatenate([bench(9, ()), *(bench(seed) for seed in range(4)), bench(8, ())], axis=1)
    seen = [each for left in range(0, 5 * 512 - 200, 48) for each in place.see(wide[:, left : left + 512].copy())]
    seen += place.observer.rest()

    assert len({each.track for each in seen}) == len(seen) == 8
    assert {value(each, "plant_count").value for each in seen} == {1.0}
    assert all(value(each, "projected_leaf_area").value == pytest.approx(np.pi * 60**2, rel=0.12) for each in seen)
    assert place.observer.rest() == []


def test_a_camera_on_a_rail_is_not_taken_for_one_that_was_knocked(tmp_path, store):
    put_scale(store, distance_scale(), bench(), None)
    place = Bench(tmp_path, store, identity={"kind": "moving"})
    for left in range(0, 480, 24):
        place.see(np.asarray(np.roll(bench(), -left, axis=1), np.uint8))

    assert [kind for kind, _, _ in place.events] == [EventKind.CAMERA_CALIBRATED]


def test_plots_and_a_moving_camera_exclude_each_other():
    with pytest.raises(ValueError, match="stands still"):
        CameraSettings.model_validate(
            {
                "name": "rail",
                "source": {"kind": "folder", "path": "."},
                "identity": IdentitySettings(kind="moving").model_dump(),
                "plots": {"kind": "grid", "rows": 1, "columns": 1},
            }
        )


def test_an_empty_calibration_has_no_part():
    assert Calibration(camera="top").empty
