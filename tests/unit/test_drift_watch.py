"""A watch keeps what it knows, tells of a change once, closes a window each day, and costs no reading."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.backends import Inference
from edge.contract.drift import MAX_STATISTICS, DriftWindow
from edge.contract.manifest import Manifest, Thing
from edge.contract.records import Clock, Event, EventKind
from edge.drift.memory import Memory, OpenWindow
from edge.drift.statistics import answer_statistics, picture_statistics
from edge.drift.watch import DriftWatch
from edge.preprocess import fit
from edge.segmentation import decode
from edge.settings import DriftSettings
from tests.sim.green_model import green_manifest

BORN = datetime(2026, 3, 2, 6, 30, tzinfo=timezone.utc)
TERMS = np.zeros(64)
MODEL = "sha256:" + "5a" * 32


def clock(at, *, ok=True):
    return Clock(at=at, monotonic_s=0.0, boot_id="test", clock_ok=ok)


class Recorded(list):
    def windows(self):
        return [record for record in self if isinstance(record, DriftWindow)]

    def events(self):
        return [record for record in self if isinstance(record, Event)]


def captures(days, *, offset=0.0, first=0, seed=0):
    """Twelve captures a day: two statistics of the picture and one of the answer, each with noise of its own."""
    rng = np.random.default_rng(seed)
    for day in range(first, first + days):
        for hour in range(12):
            values = {
                "mean_grey": rng.normal(120, 4),
                "sharpness": rng.normal(1, 0.1) + offset,
                "count.plant": rng.normal(15, 0.3),
            }
            yield clock(BORN + timedelta(days=day, hours=hour)), values


def run(watch, shots):
    for at, values in shots:
        watch.take(at, MODEL, "day", values, TERMS, answers=frozenset({"count.plant"}))


def watching(folder, **settings):
    recorded = Recorded()
    return DriftWatch("top", DriftSettings(**settings), folder, recorded.append), recorded


def test_three_quiet_weeks_raise_nothing(tmp_path):
    watch, recorded = watching(tmp_path)
    run(watch, captures(21))
    assert recorded.events() == []
    assert max(watch.evidence.values()) < 1


def test_a_change_is_told_once_and_by_its_name(tmp_path):
    watch, recorded = watching(tmp_path)
    run(watch, captures(21))
    run(watch, captures(1, offset=-1.5, first=21, seed=1))
    (event,) = recorded.events()
    assert event.kind is EventKind.DRIFT
    assert event.camera == "top"
    assert "sharpness" in event.message
    assert watch.scores["sharpness"] < -5
    assert watch.changes["sharpness"] == pytest.approx(-1.5, abs=0.3)


def test_what_is_known_survives_a_restart_in_the_middle_of_a_change(tmp_path):
    whole, told = watching(tmp_path / "whole")
    parts, told_in_parts = watching(tmp_path / "parts")
    shots = [*captures(21), *captures(1, offset=-1.5, first=21, seed=1)]
    run(whole, shots)
    for begin in range(0, len(shots), 29):
        again = DriftWatch("top", DriftSettings(), tmp_path / "parts", told_in_parts.append)
        run(again, shots[begin : begin + 29])
    assert [type(record) for record in told_in_parts] == [type(record) for record in told]
    assert again.evidence == whole.evidence
    assert parts.evidence == {}, "the first watch knew nothing"


def test_a_day_becomes_windows_of_the_cameras_own_reference_after_the_first_clean_week(tmp_path):
    watch, recorded = watching(tmp_path)
    run(watch, captures(12))
    windows = recorded.windows()
    assert windows, "the camera has a reference of its own by then"
    assert all(window.rebased and window.band == "day" for window in windows)
    assert len({window.reference for window in windows}) == 1
    assert all(window.sums.captures == 12 for window in windows)
    assert all(sum(bins) == 12 for bins in windows[-1].sums.histograms.values())
    assert {window.since.at.date() for window in windows} <= {date(2026, 3, day) for day in range(9, 14)}


def test_a_window_says_by_how_much_and_in_which_unit_its_statistics_moved(tmp_path):
    watch, recorded = watching(tmp_path)
    run(watch, captures(21))
    run(watch, captures(2, offset=-1.5, first=21, seed=1))
    window = recorded.windows()[-1]
    assert "sharpness" in window.alarms
    assert window.scores["sharpness"] < -5
    assert window.changes["sharpness"] == pytest.approx(-1.5, abs=0.3), "causes are told by it"


def test_a_new_stage_of_the_crop_begins_anew_with_what_the_model_finds_and_keeps_the_light(tmp_path):
    stages = [{"name": "seedling", "begins": "2026-03-01"}, {"name": "fruiting", "begins": "2026-03-23"}]
    watch, recorded = watching(tmp_path, stages=stages)
    run(watch, captures(21))
    for at, values in captures(2, first=21, seed=2):
        watch.take(at, MODEL, "day", values | {"count.plant": 99.0}, TERMS, answers=frozenset({"count.plant"}))
    assert recorded.events() == []
    assert {window.band for window in recorded.windows()} == {"day.seedling"}


def test_a_capture_is_due_once_in_a_while_and_never_while_the_clock_is_not_believed(tmp_path):
    watch, _ = watching(tmp_path, every_s=3600)
    assert watch.due(clock(BORN))
    assert not watch.due(clock(BORN, ok=False))
    run(watch, [next(captures(1))])
    assert not watch.due(clock(BORN + timedelta(seconds=3599)))
    assert watch.due(clock(BORN + timedelta(seconds=3600)))
    assert watch.due(clock(BORN - timedelta(days=400))), (
        "the clock was set back: that is no reason to be blind for a year"
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nothing", bytes([128, 4, 149]) + b"evil", bytes(9_000_000)])
def test_a_damaged_memory_is_learnt_anew(tmp_path, content):
    path = tmp_path / "top.npz"
    path.write_bytes(content)
    assert Memory.load(path).notes.names == ()


def test_a_memory_cut_anywhere_is_learnt_anew_or_whole(tmp_path):
    watch, _ = watching(tmp_path)
    run(watch, captures(2))
    content = (tmp_path / "top.npz").read_bytes()
    for end in range(0, len(content), max(1, len(content) // 40)):
        (tmp_path / "cut.npz").write_bytes(content[:end])
        assert Memory.load(tmp_path / "cut.npz").notes.names == ()
    assert len(content) < 200_000


def test_a_memory_that_holds_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "top.npz", notes=np.array([{"a": 1}], object), allow_pickle=True)
    assert Memory.load(tmp_path / "top.npz").notes.names == ()


def test_a_disk_that_takes_nothing_costs_no_capture():
    watch = DriftWatch("top", DriftSettings(), Path("/proc/nowhere"), lambda _: None)
    run(watch, captures(1))
    assert len(watch.evidence) == 3


def many_named() -> Manifest:
    """As many classes and things as a manifest may have, with names as long as they may be."""
    classes = tuple(f"c{number:02}".ljust(64, "x") for number in range(64))
    things = tuple(
        Thing(name=f"t{number:02}".ljust(64, "y"), threshold=0.1, count_trait="plant_count") for number in range(16)
    )
    return green_manifest().model_copy(update={"classes": classes, "plant_classes": classes[1:], "things": things})


def test_a_model_of_very_many_classes_is_watched_by_its_first_and_its_days_are_told(tmp_path):
    watch, recorded = watching(tmp_path)
    manifest, rng = many_named(), np.random.default_rng(3)
    for at, _ in captures(10):
        image, placement = fit(rng.integers(60, 160, (128, 128, 3), np.uint8), 128, 128)
        inference = Inference(
            classes=rng.integers(0, 64, (32, 32), np.uint8), centers=np.zeros((8, 4), np.float32),
            offsets=np.zeros((2, 32, 32), np.float32), certainty=rng.random(64, np.float32),
            features=np.zeros(4, np.float32),
        )  # fmt: skip
        found = decode(inference, manifest, placement)
        values = picture_statistics(image, placement)
        values |= answer_statistics(image, placement, inference, found, manifest) | {"features": 0.0}
        watch.take(at, MODEL, "day", values, TERMS)
    assert len(values) <= MAX_STATISTICS
    assert any(name.startswith("certainty.c00") for name in values)
    assert any(name.startswith("count.t00") for name in values)
    (window, *_) = recorded.windows()
    assert window.sums.histograms.keys() == values.keys()


def test_a_window_that_cannot_be_told_costs_its_own_day_and_no_other(tmp_path, caplog):
    watch, recorded = watching(tmp_path)
    run(watch, captures(9))
    told = len(recorded.windows())
    (window,) = watch._memory.notes.windows
    watch._memory.notes.windows.insert(0, OpenWindow.model_construct(**dict(window) | {"band": "no band's name"}))
    run(watch, captures(3, first=9))
    assert "cannot be told" in caplog.text
    assert len(recorded.windows()) == told + 3


def test_a_clock_that_is_set_back_within_the_day_leaves_a_window_that_can_be_told(tmp_path):
    watch, recorded = watching(tmp_path)
    run(watch, captures(9))
    told = len(recorded.windows())
    *_, (at, values) = captures(1, first=9)
    for hours in (0, -3, -9):
        watch.take(at.model_copy(update={"at": at.at + timedelta(hours=hours)}), MODEL, "day", values, TERMS)
    run(watch, captures(2, first=10))
    windows = recorded.windows()[told + 1 :]
    assert [window.sums.captures for window in windows] == [3, 12]
    assert windows[0].since.at < windows[0].until.at == at.at


def test_a_statistic_that_is_missing_now_and_then_stops_no_window_and_is_counted_when_it_is_there(tmp_path):
    watch, recorded = watching(tmp_path)
    shots = [(at, values | {"flicker": 0.1 if at.at.hour % 3 else np.nan}) for at, values in captures(11)]
    run(watch, shots)
    windows = recorded.windows()
    assert len(windows) >= 2
    assert all(window.sums.moments["sharpness"].count == 12 for window in windows)
    assert all(window.sums.moments["flicker"].count == 8 for window in windows)
    assert all(sum(window.sums.histograms["flicker"]) == 8 for window in windows)


def test_a_camera_that_is_told_why_it_changed_begins_anew_and_is_quiet_about_what_it_shows_now(tmp_path):
    watch, recorded = watching(tmp_path)
    run(watch, captures(21))
    assert watch.forget("a" * 32)
    run(watch, captures(16, offset=-1.5, first=21, seed=1))
    assert recorded.events() == []
    assert watch.alarms == {}
    assert abs(watch.scores["sharpness"]) < 3, "it has learned what the camera shows now"
    (sharp,) = {window.reference: window for window in recorded.windows()[-2:]}.values()
    assert sharp.rebased
    assert abs(sharp.sums.moments["sharpness"].mean + 0.5) < 0.1
    assert max(sharp.sums.histograms["sharpness"]) < 8, "its own reference is of the days since"


def test_a_camera_forgets_its_alarm_with_what_it_knew_and_tells_of_the_next_change_within_a_week(tmp_path):
    watch, recorded = watching(tmp_path)
    run(watch, captures(21))
    run(watch, captures(1, offset=-1.5, first=21, seed=1))
    assert watch.alarms
    watch.forget("a" * 32)
    assert watch.alarms == {}
    run(watch, captures(6, offset=-1.5, first=22, seed=2))
    assert len(recorded.events()) == 1
    run(watch, captures(1, offset=0.5, first=28, seed=3))
    assert len(recorded.events()) == 2


def test_a_command_heard_twice_forgets_once_also_after_a_restart(tmp_path):
    watch, _ = watching(tmp_path)
    run(watch, captures(3))
    assert watch.forget("a" * 32)
    run(watch, captures(9, first=3))
    known = watch._memory.recent.values.copy()
    again, _ = watching(tmp_path)
    assert not again.forget("a" * 32)
    assert np.array_equal(again._memory.recent.values, known, equal_nan=True)
    assert again.forget("b" * 32)
    assert np.isnan(again._memory.recent.values).all()


def test_what_cannot_be_kept_is_not_done():
    watch = DriftWatch("top", DriftSettings(), Path("/proc/nowhere"), lambda _: None)
    run(watch, captures(1))
    for _ in range(2):
        with pytest.raises(OSError, match="nowhere"):
            watch.forget("a" * 32)
