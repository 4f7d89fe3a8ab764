"""What the device does for itself while it measures: rests in the heat, counts its rate, and tells of both."""

import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge.clock import monotonic_s, utc_now
from edge.contract.messages import Tally
from edge.contract.records import Observation
from edge.daemon import Daemon
from edge.frame import Frame
from edge.loop import Loop
from edge.mailbox import Mailbox
from edge.outbox import OUTBOX_FILE, Outbox
from edge.rates import Rates
from edge.settings import DeviceSettings, OutboxSettings
from edge.status import Status, read_status
from edge.store import open_reader
from tests.sim.green_model import build_green_package
from tests.sim.pictures import draw_pictures
from tests.sim.waiting import wait_for

WORK_S = 0.05


class Slow:
    """Takes as long for a picture as a large network would."""

    def observe(self, frame: Frame) -> list[Observation]:
        time.sleep(WORK_S)
        return []

    def rest(self) -> list[Observation]:
        return []


def frame(number: int) -> Frame:
    return Frame(np.zeros((8, 8, 3), np.uint8), number, "top", utc_now(), monotonic_s())


@pytest.fixture
def outbox(tmp_path: Path):
    with closing(Outbox(tmp_path / OUTBOX_FILE, OutboxSettings())) as made:
        yield made


class Resting(Mailbox):
    """A mailbox that remembers for how long the loop wanted to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.rests_s: list[float] = []

    def rest(self, timeout_s: float) -> None:
        self.rests_s.append(timeout_s)
        super().rest(timeout_s)


@pytest.mark.parametrize(("share", "least_s"), [(1.0, None), (0.25, 3 * WORK_S)])
def test_a_loop_that_may_work_a_quarter_of_its_time_waits_the_rest(outbox, share: float, least_s: float | None) -> None:
    mailbox = Resting()
    loop = Loop(mailbox, {"top": Slow()}, outbox, OutboxSettings(commit_after_s=60))  # type: ignore[dict-item]
    loop.busy_share = share
    thread = threading.Thread(target=loop.run)
    thread.start()
    for number in range(6):
        assert mailbox.wait_free("top")
        mailbox.put(frame(number))
    mailbox.close()
    thread.join(10)
    assert not thread.is_alive()
    if least_s is None:
        assert mailbox.rests_s == []
    else:
        assert len(mailbox.rests_s) == 6
        assert min(mailbox.rests_s) >= least_s


def test_a_rest_ends_at_once_when_the_daemon_stops(outbox) -> None:
    mailbox = Mailbox()
    mailbox.close()
    mailbox.rest(600)  # longer than a test may last


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    rates = Rates()
    for second in range(0, 100, 5):
        rates.note(float(second), {"top": Tally(processed=second * 2), "door": Tally(processed=min(second, 10))})
    assert rates.fps == {"top": 2.0, "door": 0.0}


def test_a_daemon_tells_of_its_rate_its_clock_and_its_heat_and_keeps_status_and_database_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.daemon.STATUS_EVERY_S", 0.1)
    monkeypatch.setattr("edge.daemon.CARE_EVERY_S", 0.1)
    ssd = tmp_path / "ssd"
    ssd.mkdir()
    build_green_package(tmp_path / "package")
    draw_pictures(tmp_path / "pictures", 4)
    settings = DeviceSettings.model_validate(
        {
            "site": "gh", "device": "cam", "state_dir": str(tmp_path / "state"), "mqtt": None,
            "inference": {"package": str(tmp_path / "package")},
            "cameras": [{"name": "top", "source": {"kind": "folder", "path": str(tmp_path / "pictures")}}],
            "storage": {"folder": str(ssd), "run_dir": str(tmp_path / "run")},
        }
    )  # fmt: skip
    daemon = Daemon(settings)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        wait_for(lambda: (status := read_status(tmp_path / "run")) is not None and "top" in status.health.fps, 30)
        found = read_status(tmp_path / "run")
    finally:
        daemon.stop()
        thread.join(20)
    assert isinstance(found, Status)
    assert found.health.clock_ok is not None
    assert found.health.relief == ""
    open_reader(ssd / OUTBOX_FILE).close()
    assert not (tmp_path / "state" / OUTBOX_FILE).exists()
    assert not (tmp_path / "state" / "status.json").exists()
