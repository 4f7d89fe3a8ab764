"""What the loop has seen, kept and lent in bounded memory."""

import threading

import numpy as np

from edge.sights import Finding, Seen, Sight, Sights


def sight(at_s: float, camera: str = "top", *, plants: bool = True, digest: str = "d") -> Sight:
    plant = np.full((4, 4), plants)
    finding = Finding(("background", "leaf"), plant.astype(np.uint8), plant, {"plant_count": 1})
    return Sight(camera, at_s, digest, np.zeros((16, 16, 3), np.uint8), finding)


def test_only_the_newest_are_kept_and_none_of_a_camera_too_near():
    sights = Sights(3, every_s=10)
    for at_s in range(100):
        sights.witness(sight(float(at_s)))
        sights.witness(sight(float(at_s), "door"))
    assert [(each.camera, each.monotonic_s) for each in sights.recent("d")] == [
        ("door", 80.0),
        ("top", 90.0),
        ("door", 90.0),
    ]
    assert sights.last_at_s == 99.0


def test_what_another_model_saw_is_not_among_them():
    sights = Sights(8, every_s=0)
    sights.witness(sight(1, digest="old"))
    sights.witness(sight(2, digest="new"))
    assert [each.monotonic_s for each in sights.recent("new")] == [2.0]


def test_pictures_with_and_without_plants_are_counted():
    sights = Sights(1, every_s=0)
    for number in range(10):
        sights.witness(sight(number, plants=number % 5 == 0))
    assert sights.seen == Seen(10, 2)


def test_a_share_is_lent_the_newest_first_and_nothing_once_it_ends():
    sights = Sights(1, every_s=0)
    sights.witness(sight(0))
    assert sights.borrow(0) is None
    sights.lend(0.25)
    borrowed = []
    for number in range(1, 41):
        sights.witness(sight(number))
        borrowed += [each.monotonic_s for each in [sights.borrow(0)] if each]
    assert borrowed == [float(number) for number in range(4, 41, 4)]
    for number in range(41, 61):
        sights.witness(sight(number))
    assert sights.borrow(0).monotonic_s == 60.0
    assert sights.borrow(0) is None
    sights.witness(sight(61))
    sights.lend(0)
    for number in range(62, 80):
        sights.witness(sight(number))
    assert sights.borrow(0) is None


def test_a_borrower_wakes_as_soon_as_there_is_something():
    sights = Sights(1, every_s=0)
    sights.lend(1)
    timer = threading.Timer(0.05, lambda: sights.witness(sight(5)))
    timer.start()
    assert sights.borrow(20).monotonic_s == 5.0
    timer.join()


def test_a_doubt_is_of_its_camera_and_is_answered_once() -> None:
    sights = Sights(4, 0.0)
    sights.doubt("top")
    assert [sights.take_doubt(camera) for camera in ("side", "top", "top")] == [False, True, False]
