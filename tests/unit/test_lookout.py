"""What is kept for those who look: little, the newest, and never a whole picture that nobody asked for."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

import numpy as np
import pytest

from edge.clock import read_clock
from edge.commands import Commands, Done
from edge.contract.commands import Command, CommandKind
from edge.contract.records import Observation, Outcome, QualityFlag
from edge.contract.topics import CMD, RSP, decode
from edge.frame import Frame
from edge.logring import MAX_CHARS, MAX_LINES, LogRing
from edge.lookout import MAX_WAITING, MAX_WATCHERS, Lookout, View
from edge.overlay import jpeg_within, overlay
from edge.preprocess import fit
from tests.sim.green_model import green_manifest

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
NOISE = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)


def view(frame_id: int = 0) -> View:
    image, placement = fit(NOISE, 128, 128)
    return View(Frame(NOISE, frame_id, "top", NOW, 0.0), image, placement, green_manifest(), (QualityFlag.BLURRED,))


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, twenty seconds at most."""
    give_up_at_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.005)


def never() -> bool:
    return False


def test_a_kept_view_does_not_hold_the_cameras_pixels():
    lookout = Lookout(["top"])
    lookout.viewed(view())
    kept = lookout.last_view("top")
    assert kept.frame.pixels.size == 0
    assert kept.frame.pixels.base is None, "a slice holds all of what it was cut from"


def test_who_waits_gets_the_next_view_with_its_pixels_and_they_are_let_go():
    lookout = Lookout(["top"])
    lookout.viewed(view(0))
    threading.Timer(0.1, lookout.viewed, [view(1)]).start()
    found = lookout.next_view("top", 10.0, never)
    assert (found.frame.frame_id, found.frame.pixels.shape) == (1, NOISE.shape)
    assert lookout.last_view("top").frame.pixels.size == 0
    assert lookout.next_view("top", 0.01, never) is None
    assert lookout.next_view("top", 60.0, lambda: True) is None


def test_raw_pictures_are_wanted_only_while_somebody_waits():
    lookout = Lookout(["top"])
    assert not lookout.wants("top")
    waiting = threading.Thread(target=lookout.next_frame, args=("top", 10.0, never))
    waiting.start()
    until(lambda: lookout.wants("top"))
    lookout.glimpsed(view().frame)
    waiting.join(10)
    assert not waiting.is_alive()
    assert not lookout.wants("top")


def test_a_watcher_that_is_too_slow_misses_the_oldest_and_is_told():
    lookout = Lookout(["top"])
    watcher = lookout.watch()
    for frame_id in range(MAX_WAITING + 10):
        made = Observation(camera="top", plot="p", frame_id=frame_id, clock=read_clock(), outcome=Outcome.NO_PLANT)
        lookout.observed([made])
    taken = watcher.take(0)
    assert (len(taken), taken[0].frame_id, watcher.missed) == (MAX_WAITING, 10, 10)
    others = [lookout.watch() for _ in range(MAX_WATCHERS)]
    assert others[-1] is None
    lookout.leave(watcher)
    assert lookout.watch() is not None


def test_the_log_in_memory_is_bounded_by_lines_and_by_characters():
    ring = LogRing()
    for number in range(MAX_LINES + 50):
        ring.handle(logging.makeLogRecord({"msg": f"line {number}", "levelno": logging.INFO, "levelname": "INFO"}))
    newest, lines = ring.last(10_000)
    assert (newest, len(lines)) == (MAX_LINES + 50, MAX_LINES)
    for _ in range(300):
        ring.handle(logging.makeLogRecord({"msg": "x" * 10_000, "levelno": logging.ERROR, "levelname": "ERROR"}))
    _, lines = ring.last(10_000)
    assert sum(len(line.text) for line in lines) <= MAX_CHARS
    assert ring.last(0) == (MAX_LINES + 350, [])
    assert {line.level for line in ring.last(5, logging.ERROR)[1]} == {logging.ERROR}


@pytest.mark.parametrize("max_bytes", [400_000, 40_000, 4_000, 1_000])
def test_a_picture_of_noise_is_made_to_fit(max_bytes):
    assert 0 < len(jpeg_within(NOISE, max_bytes)) <= max_bytes


def test_a_picture_that_was_not_measured_is_drawn_with_the_reason():
    drawn = overlay(view())
    assert max(drawn.shape) == 960
    assert (drawn[-20:] != overlay(View(**{**vars_of(view()), "flags": ()}))[-20:]).any()


def vars_of(made: View) -> dict[str, object]:
    return {name: getattr(made, name) for name in View.__dataclass_fields__}


def command(number: int) -> bytes:
    made = Command(id=f"{number:032x}", kind=CommandKind.LOGS, expires_at=datetime(2100, 1, 1, tzinfo=timezone.utc))
    return made.encode()


def test_a_flood_of_commands_is_refused_beyond_what_may_wait_and_each_is_carried_out_once():
    begun, free, done = threading.Event(), threading.Event(), []

    def carry_out(asked: Command) -> Done:
        begun.set()
        assert free.wait(20)
        done.append(asked.id)
        return Done("text/plain", b"x")

    commands = Commands(carry_out)
    commands.hear(command(0))
    assert begun.wait(20)
    for _ in range(3):
        for number in range(1, 40):
            commands.hear(command(number))
    refused = commands.take()
    assert b"wait already" in decode(RSP, refused).encode()
    free.set()
    until(lambda: {f"{number:032x}" for number in range(9)} <= set(done))
    assert len(done) == len(set(done)) <= 12
    commands.stop()


def test_a_defect_in_an_errand_is_an_answer():
    def carry_out(_: Command) -> Done:
        raise ZeroDivisionError("a defect")

    commands = Commands(carry_out)
    commands.hear(command(1))
    answers = []
    until(lambda: answers.append(commands.take()) or answers[-1] is not None)
    told = decode(RSP, answers[-1])
    assert (told.ok, "a defect" in told.reason) == (False, True)
    assert len(command(1)) <= CMD.max_bytes
    commands.stop()
