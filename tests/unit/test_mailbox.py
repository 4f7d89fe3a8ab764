"""The mailbox: one slot for each camera, and counts that always add up."""

import random
import threading

import numpy as np
import pytest

from edge.clock import monotonic_s, utc_now
from edge.errors import FrameUnreadable
from edge.frame import Frame
from edge.mailbox import Mailbox

SOON_S = 5.0


def frame(camera: str, frame_id: int = 0) -> Frame:
    return Frame(np.zeros((1, 1, 3), np.uint8), frame_id, camera, utc_now(), monotonic_s())


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def test_the_latest_picture_wins_and_each_overwritten_one_is_counted(mailbox):
    for number in range(10):
        assert mailbox.put(frame("a", number))
    taken = mailbox.take(0)
    passage = mailbox.passage("a")
    assert taken.frame_id == 9
    assert (passage.captured, passage.taken, passage.dropped) == (10, 1, 9)
    assert mailbox.take(0) is None


def test_a_broken_picture_takes_the_same_way(mailbox):
    mailbox.put(FrameUnreadable("half of it is missing", camera_id="a", frame_id=3))
    assert mailbox.take(0).frame_id == 3
    assert mailbox.passage("a").captured == 1


def test_a_fast_camera_does_not_starve_a_slow_one(mailbox):
    mailbox.put(frame("fast"))
    mailbox.put(frame("slow"))
    order = []
    for number in range(4):
        order.append(mailbox.take(0).camera_id)
        mailbox.put(frame("fast", number))
        mailbox.put(frame("slow", number))
    assert order == ["fast", "slow", "fast", "slow"]


def test_one_picture_of_each_camera_is_held_at_most(mailbox):
    for number in range(1000):
        mailbox.put(frame(f"camera-{number % 3}", number))
    held = 0
    while mailbox.take(0) is not None:
        held += 1
    assert held == 3


def test_counts_add_up_at_each_moment_under_threads(mailbox):
    cameras = ["a", "b", "c"]
    put_each = 2000

    def fill(camera: str) -> None:
        for number in range(put_each):
            mailbox.put(frame(camera, number))

    threads = [threading.Thread(target=fill, args=(camera,)) for camera in cameras]
    for thread in threads:
        thread.start()
    taken = dict.fromkeys(cameras, 0)
    chance = random.Random(7)
    while any(thread.is_alive() for thread in threads):
        picture = mailbox.take(0.01)
        if picture is not None:
            taken[picture.camera_id] += 1
        camera = chance.choice(cameras)
        assert mailbox.passage(camera).taken == taken[camera]
    mailbox.close()
    while (picture := mailbox.take(0)) is not None:
        taken[picture.camera_id] += 1
    assert mailbox.drained
    for camera in cameras:
        passage = mailbox.passage(camera)
        assert passage.captured == put_each == taken[camera] + passage.dropped


def test_waiting_for_the_slot_loses_nothing(mailbox):
    def fill() -> None:
        for number in range(200):
            assert mailbox.wait_free("file")
            assert mailbox.put(frame("file", number))
        mailbox.close()

    thread = threading.Thread(target=fill)
    thread.start()
    numbers = []
    while not mailbox.drained:
        picture = mailbox.take(SOON_S)
        if picture is not None:
            numbers.append(picture.frame_id)
    thread.join(SOON_S)
    assert numbers == list(range(200))
    assert mailbox.passage("file").dropped == 0


@pytest.mark.parametrize("end", [Mailbox.close, lambda mailbox: mailbox.refuse("file")])
def test_waiting_for_the_slot_ends_when_its_camera_is_refused(mailbox, end):
    mailbox.put(frame("file", 0))
    accepted: list[bool] = []
    thread = threading.Thread(target=lambda: accepted.append(mailbox.wait_free("file")))
    thread.start()
    end(mailbox)
    thread.join(SOON_S)
    assert accepted == [False]
    assert mailbox.take(0).frame_id == 0


def test_a_refused_camera_leaves_the_others_alone(mailbox):
    mailbox.refuse("a")
    assert not mailbox.put(frame("a"))
    assert mailbox.put(frame("b"))


def test_closing_ends_a_waiting_take_at_once(mailbox):
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take(60)))
    thread.start()
    mailbox.close()
    thread.join(SOON_S)
    assert taken == [None]


def test_what_waits_can_be_taken_after_closing(mailbox):
    mailbox.put(frame("a"))
    mailbox.close()
    assert not mailbox.drained
    assert mailbox.take(0) is not None
    assert mailbox.drained
