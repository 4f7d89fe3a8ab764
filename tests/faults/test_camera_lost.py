"""Cameras that hang, vanish, send garbage or never come: the camera's thread outlives all of it."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from edge.capture import MAX_HANGING, Camera, Repair, no_repair
from edge.clock import utc_now
from edge.contract.records import EventKind
from edge.errors import CameraLost, CaptureError, FrameUnreadable
from edge.frame import Frame
from edge.mailbox import Mailbox, Picture
from edge.recovery.commands import Ending, run_within
from edge.recovery.ladder import Rung
from edge.settings import CameraSettings
from tests.sim.camera import FRAME_S, LATE, Script, Step

SOON_S = 20.0
HANG_S = 0.2


class Watched:
    """A camera on a script, with what it told and what it gave."""

    def __init__(self, script: Script, repair: Repair = no_repair, **settings: object) -> None:
        values = {"read_timeout_s": HANG_S, "reconnect_max_s": 0.05, **settings}
        self.script = script
        self.mailbox = Mailbox()
        self.events: list[tuple[EventKind, str, dict]] = []
        self.camera = Camera(
            CameraSettings(name="bench", source={"kind": "v4l2", "device": 0}, **values),
            self.mailbox,
            lambda kind, camera, message, detail: self.events.append((kind, message, detail)),
            script.open_source,
            repair,
        )

    @property
    def kinds(self) -> list[EventKind]:
        return [kind for kind, _, _ in self.events]

    @property
    def rungs(self) -> list[object]:
        return [detail["rung"] for kind, _, detail in self.events if kind is EventKind.CAMERA_REPAIR]

    def take(self) -> Picture:
        picture = self.mailbox.take(SOON_S)
        assert picture is not None, "no picture came"
        return picture

    def take_until(self, wanted: Callable[[], object]) -> list[Picture]:
        pictures = []
        deadline_s = time.monotonic() + SOON_S
        while not wanted():
            assert time.monotonic() < deadline_s, "it never happened"
            picture = self.mailbox.take(0.05)
            if picture is not None:
                pictures.append(picture)
        return pictures


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def begin(script: Script, **settings) -> Watched:
        watched = Watched(script, **settings)
        watched.camera.start()
        started.append(watched)
        return watched

    yield begin
    for watched in started:
        watched.script.release.set()
        watched.camera.stop()


def endless(step: Step = "frame") -> Iterator[Step]:
    return itertools.repeat(step)


def test_a_lost_camera_comes_back_with_one_event_each_way_and_goes_on_counting(watch):
    watched = watch(Script(["frame"] * 5 + ["lost"], None, None, None, endless()))
    pictures = watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    pictures.append(watched.take())
    assert watched.kinds == [EventKind.CAMERA_LOST, EventKind.CAMERA_BACK]
    assert watched.events[0][1] == "the camera went away"
    assert watched.events[0][2] == {"cause": "CameraLost"}
    assert watched.events[-1][2]["tries"] == 4
    assert watched.events[-1][2]["outage_s"] >= 0
    assert watched.camera.reconnects == 1
    numbers = [picture.frame_id for picture in pictures]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] >= 5


def test_a_camera_that_is_away_at_the_start_is_told_once_and_taken_when_it_comes(watch):
    watched = watch(Script(*[None] * 20, endless()))
    watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    assert watched.kinds == [EventKind.CAMERA_LOST, EventKind.CAMERA_BACK]
    assert watched.script.opened == 21


def test_a_read_that_hangs_is_let_go_and_its_late_picture_discarded(watch):
    watched = watch(Script(["frame", "hang", "frame"], endless()))
    watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    assert watched.camera.abandoned == 1
    assert "has not answered for 0.2 s" in watched.events[0][1]
    watched.script.release.set()
    pictures = watched.take_until(lambda: watched.script.closed == 1)
    pictures += [watched.take() for _ in range(20)]
    assert all(isinstance(picture, Frame) and picture.pixels[0, 0, 0] != LATE for picture in pictures)


def test_a_camera_that_hangs_forever_does_not_gather_threads(watch):
    watched = watch(Script(["hang"]), read_timeout_s=0.03)
    watched.take_until(lambda: watched.camera.abandoned == MAX_HANGING)
    assert watched.mailbox.take(0.5) is None
    assert watched.script.opened == MAX_HANGING
    assert sum(thread.name == "read-bench" for thread in threading.enumerate()) == MAX_HANGING
    watched.script.release.set()
    watched.take_until(lambda: watched.script.opened > MAX_HANGING)
    assert watched.kinds[0] is EventKind.CAMERA_LOST


def test_garbage_is_failed_readings_and_no_outage(watch):
    watched = watch(Script(itertools.cycle(["broken", "broken", "frame"])))
    pictures = watched.take_until(lambda: watched.mailbox.passage("bench").captured > 60)
    kinds = {type(picture) for picture in pictures}
    assert kinds == {Frame, FrameUnreadable}
    assert watched.events == []


def test_a_defect_in_a_driver_is_an_outage_and_no_end(watch, caplog):
    watched = watch(Script(["frame", "crash"], endless()))
    watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    assert "RuntimeError" in watched.events[0][1]
    assert "a driver's defect" in caplog.text


def test_an_event_that_cannot_be_recorded_does_not_end_the_camera(caplog):
    def refuse(*_: object) -> None:
        raise OSError("no room")

    script = Script(["lost"], endless())
    mailbox = Mailbox()
    settings = CameraSettings(name="bench", source={"kind": "v4l2", "device": 0}, reconnect_max_s=0.05)
    camera = Camera(settings, mailbox, refuse, script.open_source)
    camera.start()
    assert mailbox.take(SOON_S) is not None
    camera.stop()
    assert "could not be recorded: the camera went away" in caplog.text


@pytest.mark.parametrize("step", ["hang", "frame"])
def test_stopping_does_not_wait_for_a_read_that_hangs(watch, step):
    watched = watch(Script(endless(step)), read_timeout_s=60)
    if step == "frame":
        watched.take()
    else:
        watched.take_until(lambda: watched.script.hanging)
    watched.camera.stop()
    assert watched.camera.done.is_set()
    assert watched.script.hanging == (step == "hang")
    watched.mailbox.take(0)
    watched.script.release.set()
    assert watched.mailbox.take(0.05) is None


def test_stopping_a_camera_that_waits_to_try_again_is_prompt(watch):
    watched = watch(Script(None), reconnect_max_s=3600)
    watched.take_until(lambda: watched.script.opened > 0)
    watched.camera.stop()
    assert watched.camera.done.is_set()


def test_a_slow_consumer_costs_pictures_that_are_counted_and_no_memory(watch):
    watched = watch(Script(endless()))
    first = watched.take()
    watched.take_until(lambda: watched.mailbox.passage("bench").captured > 0)
    time.sleep(0.3)
    held = watched.script.held
    watched.camera.stop()
    second = watched.take()
    assert second.frame_id > first.frame_id + 1
    assert watched.mailbox.passage("bench").captured == second.frame_id + 1
    assert 1 <= held <= 4


def test_a_time_lapse_takes_one_fresh_picture_for_each_slot(watch):
    interval_s = 0.25
    watched = watch(Script(endless()), interval_s=interval_s)
    pictures = [watched.take() for _ in range(4)]
    slots = [picture.captured_at.timestamp() // interval_s for picture in pictures]
    assert slots == sorted(set(slots))
    assert [picture.frame_id for picture in pictures] == [0, 1, 2, 3]
    assert watched.events == []


def test_a_time_lapse_notices_between_its_slots_that_the_camera_is_lost(watch):
    watched = watch(Script(["frame"] * 3 + ["lost"], endless()), interval_s=86_400)
    watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    assert watched.kinds == [EventKind.CAMERA_LOST, EventKind.CAMERA_BACK]


def test_a_live_camera_with_a_rate_gives_fresh_pictures_that_often_and_counts_no_other(watch):
    stepped: list[Step] = []
    began_at = utc_now()
    watched = watch(Script(stepped.append("frame") or "frame" for _ in itertools.count()), max_fps=20)
    pictures = [watched.take() for _ in range(5)]
    assert pictures[-1].captured_at - began_at >= timedelta(seconds=4 / 20)
    assert [picture.frame_id for picture in pictures] == list(range(5))
    assert len(stepped) > 10


def test_a_finite_source_with_a_rate_is_read_that_fast_and_whole(watch):
    began_at = utc_now()
    watched = watch(Script(["frame"] * 5, finite=True), max_fps=20)
    pictures = [watched.take() for _ in range(5)]
    assert watched.camera.done.wait(SOON_S)
    assert pictures[-1].captured_at - began_at >= timedelta(seconds=4 / 20)
    assert [picture.frame_id for picture in pictures] == list(range(5))


def test_a_finite_source_loses_nothing_and_ends(watch):
    steps: list[Step] = ["broken" if number % 7 == 3 else "frame" for number in range(100)]
    watched = watch(Script(steps, finite=True), interval_s=3600)
    assert not watched.camera.done.wait(100 * FRAME_S * 2), "it did not wait for the consumer"
    pictures = watched.take_until(
        lambda: watched.camera.done.is_set() and watched.mailbox.passage("bench").taken == 100
    )
    assert [picture.frame_id for picture in pictures] == list(range(100))
    assert sum(isinstance(picture, FrameUnreadable) for picture in pictures) == 14
    assert watched.mailbox.passage("bench").dropped == 0
    assert watched.camera.error is None
    assert watched.events == []


def test_a_finite_source_that_does_not_open_ends_with_its_error(watch):
    watched = watch(Script(None, finite=True))
    assert watched.camera.done.wait(SOON_S)
    assert isinstance(watched.camera.error, CameraLost)
    assert watched.kinds == [EventKind.CAMERA_LOST]
    assert watched.script.opened == 1


def test_a_finite_source_that_waits_for_a_full_mailbox_can_be_stopped(watch):
    watched = watch(Script(["frame"] * 10, finite=True))
    watched.take()
    watched.camera.stop()
    assert watched.camera.done.is_set()
    assert watched.camera.error is None
    watched.mailbox.take(0)
    assert watched.mailbox.take(0.05) is None


def test_a_folder_that_cannot_be_listed_ends_with_what_to_do(tmp_path):
    settings = CameraSettings(name="bench", source={"kind": "folder", "path": tmp_path / "none"})
    events: list[str] = []
    camera = Camera(settings, Mailbox(), lambda kind, name, message, detail: events.append(message))
    camera.start()
    assert camera.done.wait(SOON_S)
    assert isinstance(camera.error, CaptureError)
    assert events == [str(camera.error)]
    assert "set source.path" in events[0]


def test_a_v4l2_camera_that_is_not_there_is_tried_again():
    settings = CameraSettings(name="bench", source={"kind": "v4l2", "device": 97}, reconnect_max_s=0.05)
    told = threading.Event()
    camera = Camera(settings, Mailbox(), lambda *_: told.set())
    camera.start()
    assert told.wait(SOON_S)
    assert not camera.done.wait(0.3)
    camera.stop()
    assert "v4l2-ctl" in str(camera.error)
    assert not camera.connected


CLIMB = {"tries": 2, "rung_s": 0, "service": "nvargus-daemon"}


def test_a_camera_that_stays_away_climbs_the_ladder_and_each_rung_is_told(watch):
    asked: list[Rung] = []

    def repair(rung: Rung, camera: CameraSettings, stopping: threading.Event) -> Ending:
        asked.append(rung)
        return Ending(ok=rung is not Rung.SERVICE, words="systemd said no")

    watched = watch(Script(*[None] * 6, endless()), repair=repair, recovery=CLIMB)
    watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    assert asked == [Rung.REOPEN, Rung.REBUILD, Rung.REOPEN, Rung.SERVICE, Rung.REOPEN, Rung.REOPEN]
    assert watched.rungs == ["rebuild", "service"]
    assert watched.script.variants == [0, 0, 1, 0, 1, 0, 1]
    told = next(event for event in watched.events if event[2].get("rung") == "service")
    assert "systemd said no" in told[1]
    assert told[2]["ok"] is False


def test_nothing_is_repaired_for_a_library_that_is_missing_or_a_pipeline_that_is_none():
    asked: list[Rung] = []

    def repair(rung: Rung, camera: CameraSettings, stopping: threading.Event) -> Ending:
        asked.append(rung)
        return Ending(ok=True, words="")

    pipeline = "nosuchelement ! appsink name=canopy_appsink"
    settings = CameraSettings(
        name="bench",
        source={"kind": "gstreamer", "pipeline": pipeline},
        reconnect_max_s=0.02,
        recovery={"tries": 1, "rung_s": 0, "reboot": {"after_s": 0}},
    )
    camera = Camera(settings, Mailbox(), lambda *_: None, repair=repair)
    camera.start()
    deadline_s = time.monotonic() + SOON_S
    while len(asked) < 6:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    camera.stop()
    assert set(asked) == {Rung.REOPEN}
    assert type(camera.error) is CaptureError


def test_a_repair_with_a_defect_does_not_end_the_camera(watch, caplog):
    def repair(rung: Rung, camera: CameraSettings, stopping: threading.Event) -> Ending:
        raise RuntimeError("a defect")

    watched = watch(Script(*[None] * 5, endless()), repair=repair, recovery=CLIMB)
    watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    assert "a defect" in caplog.text


def test_a_repair_that_hangs_ends_with_the_camera(watch):
    entered = threading.Event()

    def repair(rung: Rung, camera: CameraSettings, stopping: threading.Event) -> Ending:
        entered.set()
        return run_within(["/bin/sleep", "600"], 600, stopping)

    watched = watch(Script(None), repair=repair)
    assert entered.wait(SOON_S)
    watched.camera.stop()
    assert watched.camera.done.is_set()


def test_many_unreadable_pictures_in_a_row_are_an_outage(watch):
    watched = watch(Script(endless("broken"), endless()), recovery={"unreadable_after": 5})
    pictures = watched.take_until(lambda: EventKind.CAMERA_BACK in watched.kinds)
    assert "5 unreadable pictures in a row" in watched.events[0][1]
    assert sum(isinstance(picture, FrameUnreadable) for picture in pictures) <= 5


def test_a_camera_that_repeats_one_picture_is_opened_again_unless_it_is_night(watch):
    night = watch(Script(endless()), recovery={"frozen_s": 0.05})
    day = watch(Script(endless(), brightness=90), recovery={"frozen_s": 0.05})
    day.take_until(lambda: EventKind.CAMERA_LOST in day.kinds)
    assert "repeated one picture" in day.events[0][1]
    night.take_until(lambda: night.mailbox.passage("bench").captured > 50)
    assert night.kinds == []


def test_pictures_of_the_warm_up_are_passed_over(watch):
    steps = itertools.count()
    watched = watch(Script("frame" for _ in steps), warm_up_s=0.3)
    assert watched.take().frame_id == 0
    assert next(steps) > 3


@pytest.fixture
def at_the_clock(monkeypatch):
    """Looks at the clock often, and believes it."""
    monkeypatch.setattr("edge.capture.LOOK_AT_CLOCK_S", 0.02)
    monkeypatch.setattr("edge.capture.is_believable", lambda now: True)


def test_while_the_clock_is_not_believed_the_window_is_open(watch, at_the_clock, monkeypatch):
    monkeypatch.setattr("edge.capture.is_believable", lambda now: False)
    monkeypatch.setattr("edge.capture.is_open", lambda window, now: False)
    watch(Script(endless()), window={"hours": {"start": "06:00", "end": "18:00"}}).take()


def test_a_camera_is_closed_outside_its_window_which_is_no_outage(watch, at_the_clock, monkeypatch):
    light = threading.Event()
    monkeypatch.setattr("edge.capture.is_open", lambda window, now: light.is_set())
    window = {"hours": {"start": "06:00", "end": "18:00"}}
    watched = watch(Script(endless()), window=window, interval_s=3600)
    watched.take_until(lambda: watched.camera.resting)
    assert watched.script.opened == 0
    light.set()
    watched.take_until(lambda: watched.camera.connected)
    light.clear()
    watched.take_until(lambda: watched.camera.resting)
    watched.take_until(lambda: watched.script.closed == 1)
    assert not watched.camera.connected
    assert watched.events == []
    assert watched.script.opened == 1


def test_a_lost_camera_is_not_tried_outside_its_window(watch, at_the_clock, monkeypatch):
    script = Script(None)
    monkeypatch.setattr("edge.capture.is_open", lambda window, now: script.opened < 3)
    watched = watch(script, window={"hours": {"start": "06:00", "end": "18:00"}})
    watched.take_until(lambda: watched.camera.resting)
    watched.camera.stop()
    assert script.opened == 3


def test_what_a_camera_refuses_is_told_once_however_often_it_is_opened(watch, caplog):
    script = Script(["frame", "lost"], ["frame", "lost"], endless(), complaint="gain: this camera has no such control")
    watched = watch(script)
    watched.take_until(lambda: watched.script.opened == 3 and watched.camera.connected)
    assert watched.camera.complaint == "gain: this camera has no such control"
    assert caplog.text.count("no such control") == 1


def test_a_burst_gives_one_picture_for_many(watch):
    watched = watch(Script(endless()), burst={"pictures": 3, "every_s": 0}, max_fps=50, read_timeout_s=5)
    first, second = watched.take(), watched.take()
    assert (first.frame_id, second.frame_id) == (0, 1)
    assert len(watched.script.given) >= 6
