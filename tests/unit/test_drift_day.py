"""What the store knows of a day: who needs somebody, who moved, who has another model, and so which cause it was."""

from datetime import date, timedelta

import pytest

from edge.contract.messages import EventBatch, ObservationBatch
from edge.contract.records import Event, EventEntry, EventKind, QualityFlag
from fleet.drift.cause import Cause
from fleet.drift.day import read_day, told
from fleet.store import Store
from tests.sim.fleet_drift import MODEL, NOON, OTHER_MODEL, drift, window
from tests.sim.fleet_records import EPOCH, clock, letter, observation

DAY = NOON.date()


@pytest.fixture
def store(tmp_path):
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


def look(store, day: date = DAY):
    with store.reading() as connection:
        return read_day(connection, day)


def happened(seq, kind, message="so it says", **changes):
    record = Event(kind=kind, clock=clock(NOON), camera="cam", message=message, **changes)
    return EventBatch(epoch=EPOCH, items=(EventEntry(seq=seq, record=record),))


FOCUS = {"alarms": ("sharpness",), "scores": {"sharpness": -9.0}}


def test_a_camera_that_needs_somebody_has_a_cause_and_those_beside_it_have_none(store):
    store.commit([letter(drift(window(0, **FOCUS), window(0, camera="b"), window(0, camera="c")))])
    day = look(store)
    assert (list(day.alarming), day.cameras_of_site) == ([("site", "dev", "cam")], {"site": 3})
    assert [(one.cause, one.cameras) for one in day.attributions()] == [(Cause.FOCUS, (("site", "dev", "cam"),))]


def test_another_day_is_another_matter(store):
    store.commit([letter(drift(window(0, **FOCUS), window(1)))])
    assert look(store, DAY + timedelta(days=1)).attributions() == []
    assert look(store, DAY + timedelta(days=9)).seen == frozenset()


@pytest.mark.parametrize("days_before", [0, 1])
def test_a_camera_whose_movement_check_spoke_was_knocked(store, days_before):
    store.commit([letter(drift(window(days_before, **FOCUS), first=2)), letter(happened(1, EventKind.CAMERA_MOVED))])
    day = look(store, DAY + timedelta(days=days_before))
    assert [one.cause for one in day.attributions()] == [Cause.KNOCK]


def test_a_camera_whose_newest_reading_says_moved_was_knocked(store):
    first, last = observation(1), observation(2)
    moved = {"record": last.record.model_copy(update={"quality": (QualityFlag.MOVED,)})}
    batch = ObservationBatch(epoch=EPOCH, items=(first, last.model_copy(update=moved)))
    store.commit([letter(batch), letter(drift(window(0, **FOCUS), first=3))])
    assert look(store).moved == {("site", "dev", "cam")}


def test_a_camera_that_moved_and_was_set_back_was_not_knocked(store):
    first, last = observation(1), observation(2)
    moved = {"record": first.record.model_copy(update={"quality": (QualityFlag.MOVED,)})}
    batch = ObservationBatch(epoch=EPOCH, items=(first.model_copy(update=moved), last))
    store.commit([letter(batch), letter(drift(window(0, **FOCUS), first=3))])
    assert look(store).moved == frozenset()


def test_cameras_that_took_another_model_since_the_day_before_are_the_models_matter(store):
    before = [window(-1, camera=name) for name in ("a", "b", "c")]
    after = [window(0, camera=name, model=OTHER_MODEL, **FOCUS) for name in ("a", "b")]
    store.commit([letter(drift(*before, *after, window(0, camera="c", model=MODEL)))])
    day = look(store)
    assert day.new_model == {("site", "dev", "a"), ("site", "dev", "b")}
    assert [one.cause for one in day.attributions()] == [Cause.MODEL]


def test_of_several_windows_of_a_day_the_one_with_most_captures_speaks(store):
    few, many = window(0, band="dim", captures=2, **FOCUS), window(0, band="day", captures=9, **FOCUS)
    store.commit([letter(drift(few, many, window(0, band="day", captures=9, rebased=True, **FOCUS)))])
    (found,) = look(store).alarming.values()
    assert (found.band, found.rebased) == ("day", False)


def test_what_a_device_told_before_its_day_was_over_is_read_with_its_numbers(store):
    detail = {"sharpness": "31.5", "noise": "none <b>"}
    store.commit([letter(happened(1, EventKind.DRIFT, "cam has changed", detail=detail))])
    with store.reading() as connection:
        (found,) = told(connection, NOON - timedelta(days=1))
        assert told(connection, NOON - timedelta(days=1), site="elsewhere") == []
    assert (found.camera, found.at, found.evidence) == (("site", "dev", "cam"), NOON, {"sharpness": 31.5})
