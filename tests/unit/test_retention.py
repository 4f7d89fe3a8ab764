"""What goes when the disk fills: what nobody misses first, delivered records last, undelivered ones never."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.clock import read_clock
from edge.contract.records import Event, EventKind
from edge.disk import free_bytes
from edge.errors import StoreError
from edge.harvest.shelf import Shelf as FrameShelf
from edge.outbox import OUTBOX_FILE, Outbox
from edge.retention import make_room
from edge.settings import DeviceSettings, OutboxSettings
from tests.sim.kept_frames import described

RECORDS = 10


class Shelf:
    """A state directory with something of every class in it."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.outbox = Outbox(self.state / OUTBOX_FILE, OutboxSettings())
        events = [Event(kind=EventKind.STARTED, clock=read_clock(), message="m" * 2000) for _ in range(RECORDS)]
        self.outbox.append(events)
        self.outbox.advance(self.outbox.epoch, RECORDS // 2)
        self.aside = self.state / f"{OUTBOX_FILE}.corrupt-20260101T000000.000000Z"
        self.aside.write_bytes(b"x" * 1_000_000)
        self.engines = [self.state / "engines" / name / "engine.plan" for name in ("old", "new")]
        for age, engine in enumerate(self.engines):
            engine.parent.mkdir(parents=True)
            engine.write_bytes(b"x" * 1_000_000)
            os.utime(engine, (1_700_000_000 + age, 1_700_000_000 + age))

    def keep_free(self, count_bytes: int) -> None:
        settings = DeviceSettings.model_validate(
            {
                "site": "gh", "device": "cam", "state_dir": str(self.state), "mqtt": None,
                "inference": {"package": "p", "engine": {"folder": str(self.state / "engines")}},
                "cameras": [{"name": "top", "source": {"kind": "folder", "path": "pictures"}}],
                "storage": {"keep_free_bytes": count_bytes},
            }
        )  # fmt: skip
        make_room(settings, self.outbox)

    @property
    def holds(self) -> tuple[bool, list[str], int, int]:
        """Whether the damaged database is there, which engines, delivered and undelivered records."""
        stats = self.outbox.stats()
        engines = [plan.parent.name for plan in self.engines if plan.exists()]
        return self.aside.exists(), engines, stats.entries - stats.undelivered, stats.undelivered


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.outbox.close()


def test_with_room_nothing_goes(shelf: Shelf) -> None:
    shelf.keep_free(1)
    assert shelf.holds == (True, ["old", "new"], 5, 5)


def test_what_was_damaged_goes_first(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    one_short(shelf, monkeypatch, after=1)
    assert shelf.holds == (False, ["old", "new"], 5, 5)


def test_then_the_older_engine(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    one_short(shelf, monkeypatch, after=2)
    assert shelf.holds == (False, ["new"], 5, 5)


def test_then_what_the_fleet_has_and_nothing_more_however_short_it_is(shelf: Shelf) -> None:
    shelf.keep_free(2**60)
    assert shelf.holds == (False, ["new"], 0, 5)


def one_short(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The disk has too little room until so many things have gone."""

    def free(folder: Path) -> int:
        gone = (not shelf.aside.exists()) + sum(not plan.exists() for plan in shelf.engines)
        return free_bytes(folder) if gone >= after else 0

    monkeypatch.setattr("edge.retention.free_bytes", free)
    shelf.keep_free(1)


def test_frames_for_training_go_before_records_and_the_oldest_first(shelf: Shelf) -> None:
    frames = [FrameShelf(shelf.state, "top").write(*described(number)) for number in (1, 2, 3)]
    shelf.keep_free(2**62)
    assert not [frame for frame in frames if frame.path.exists() or frame.description.exists()]
    assert shelf.holds[3] == RECORDS // 2, "what the fleet does not have stays"
    frames = [FrameShelf(shelf.state, "top").write(*described(number)) for number in (1, 2)]
    shelf.keep_free(0)
    assert all(frame.path.exists() for frame in frames), "with room there is no reason to go"


def test_a_missing_disk_for_the_database_is_an_error_and_no_second_database(tmp_path: Path) -> None:
    from edge.device import Device
    from edge.logring import LogRing
    from edge.notify import Notifier
    from edge.wanted import WantedSettings

    settings = DeviceSettings.model_validate(
        {
            "site": "gh", "device": "cam", "state_dir": str(tmp_path / "state"), "mqtt": None,
            "inference": {"package": "p"},
            "cameras": [{"name": "top", "source": {"kind": "folder", "path": "pictures"}}],
            "storage": {"folder": str(tmp_path / "ssd" / "canopy")},
        }
    )  # fmt: skip
    with pytest.raises(StoreError, match="mount its disk"):
        Device(settings, WantedSettings(settings, lambda: None), LogRing(), Notifier())
    assert not (tmp_path / "ssd").exists()
