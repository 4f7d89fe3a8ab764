"""The slots on the disk: whole or as before, and a daemon that always finds something to run."""

import logging
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import read_clock
from edge.contract.control import Phase
from edge.errors import ModelError, StoreError
from edge.model import Model
from edge.package import ModelPackage, peek
from edge.settings import InferenceSettings
from edge.update.boot import note_start, run_active
from edge.update.ledger import Ledger
from edge.update.request import Request, ask, hold, is_held, take
from edge.update.slots import Order, Slots
from edge.update.slotstore import SLOTS_FILE, SlotStore
from tests.sim.green_model import build_green_package


@pytest.fixture
def store(tmp_path: Path) -> SlotStore:
    build_green_package(tmp_path / "factory")
    return SlotStore(tmp_path / "state", tmp_path / "factory")


def with_update(store: SlotStore, phase: Phase = Phase.CONFIRMED) -> Slots:
    """0.0.2 in slot a, come to ``phase``."""
    model = ModelPackage.open(build_green_package(store.folder / "a", version="0.0.2")).ref
    slots = Slots().begun(Order(), model, read_clock()).cleared().staged()
    for each in (Phase.COMPILING, Phase.TESTING, Phase.SHADOW):
        slots = slots.advanced(each)
    slots = slots.activated()
    slots = slots.confirmed() if phase is Phase.CONFIRMED else slots
    store.write(slots)
    return slots


def booted(store: SlotStore, tmp_path: Path) -> tuple[Model, Ledger, list[str]]:
    inference, told = InferenceSettings(package=tmp_path / "factory"), []
    ledger = Ledger(
        store, "cpu", lambda: peek(inference.package), lambda: False, lambda kind, *_: told.append(kind.value)
    )
    model = Model(inference)
    note_start(ledger)
    run_active(ledger, store, model, inference)
    return model, ledger, told


def test_a_new_device_runs_the_factorys_package_and_writes_nothing(store, tmp_path):
    model, _, told = booted(store, tmp_path)
    assert (str(model.loaded), told, store.folder.exists()) == ("green 0.0.1", [], False)


def test_a_device_runs_what_its_slots_say(store, tmp_path):
    with_update(store)
    assert str(booted(store, tmp_path)[0].loaded) == "green 0.0.2"


def test_a_slot_whose_files_were_altered_makes_room_for_what_ran_before_and_the_fleet_hears_of_it(store, tmp_path):
    with_update(store, Phase.ACTIVE)
    (store.folder / "a" / "model.fp32.onnx").write_bytes(b"bit rot")
    model, ledger, told = booted(store, tmp_path)
    assert str(model.loaded) == "green 0.0.1"
    assert (ledger.reported.phase, ledger.reported.active.version) == (Phase.IDLE, "0.0.1")
    assert told == ["model_rolled_back"]
    assert store.read().held == {}


def test_a_slot_that_holds_another_package_than_the_slots_say_is_not_run(store, tmp_path):
    with_update(store)
    shutil.rmtree(store.folder / "a")
    build_green_package(store.folder / "a", version="0.0.9")
    assert str(booted(store, tmp_path)[0].loaded) == "green 0.0.1"


def test_a_model_that_ends_the_daemon_each_time_is_left_after_three_starts(store, tmp_path):
    with_update(store, Phase.ACTIVE)
    ran = [str(booted(store, tmp_path)[0].loaded) for _ in range(3)]
    assert ran == ["green 0.0.2", "green 0.0.2", "green 0.0.1"]
    assert store.read().update.phase is Phase.ROLLED_BACK


def test_without_any_package_the_daemon_says_why(store, tmp_path):
    shutil.rmtree(tmp_path / "factory")
    with pytest.raises(ModelError, match=r"inference\.package"):
        booted(store, tmp_path)


@settings(deadline=None, max_examples=30)
@given(damage=st.binary(max_size=200))
def test_a_damaged_file_is_put_aside_by_the_daemon_and_left_alone_by_everybody_else(tmp_path_factory, damage):
    store = SlotStore(tmp_path_factory.mktemp("state"), Path("factory"))
    store.write(Slots(order=Order(revision=7)))
    path = store.folder / SLOTS_FILE
    path.write_bytes(damage)
    assert store.read() == Slots()
    assert path.read_bytes() == damage
    assert store.read(put_aside=True) == Slots()
    assert not path.exists()
    assert next(store.folder.glob("*.damaged")).read_bytes() == damage


def test_a_file_that_cannot_be_written_is_an_error_and_the_old_one_stands(store, monkeypatch):
    store.write(Slots())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.update.slotstore.write_whole", full)
    with pytest.raises(StoreError, match="make room"):
        store.write(Slots(order=Order(revision=7)))
    assert store.read() == Slots()


def test_a_wish_is_taken_once_and_nonsense_is_dropped(tmp_path, caplog):
    assert take(tmp_path) is None
    ask(tmp_path, Request(what="update", source="/media/usb"))
    assert take(tmp_path).source == "/media/usb"
    assert take(tmp_path) is None
    (tmp_path / "models" / "request.json").write_bytes(b'{"what": "fly"}')
    with caplog.at_level(logging.WARNING):
        assert take(tmp_path) is None
    assert "dropped" in caplog.text
    assert take(tmp_path) is None


def test_a_hold_stands_until_it_is_released(tmp_path):
    hold(tmp_path, held=True)
    hold(tmp_path, held=True)
    assert is_held(tmp_path)
    hold(tmp_path, held=False)
    hold(tmp_path, held=False)
    assert not is_held(tmp_path)
