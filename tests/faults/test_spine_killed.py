"""Device, fleet and broker are killed at any moment: in the end the fleet has each record of the device once."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.mosquitto import Mosquitto
from tests.sim.spine import Device, Fleet, assert_everything_arrived_once, random_moment, wait_for

DELIVERS_WITHIN_S = 60.0
SEVERAL = pytest.mark.parametrize("kills", [4, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
MANY = pytest.mark.parametrize("kills", [8, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])


@pytest.fixture
def fleet(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A fleet service on Mosquitto, or with its own broker."""
    embedded = getattr(request, "param", "mosquitto") == "embedded"
    made = Fleet(tmp_path / "fleet", 0 if embedded else request.getfixturevalue("mosquitto").port)
    made.start()
    yield made
    made.close()


@pytest.fixture
def device(tmp_path: Path, fleet: Fleet) -> Iterator[Device]:
    """A device with a folder that is never at its end while a test lasts."""
    made = Device(tmp_path / "device", fleet.mqtt_port, camera={"max_fps": 100}, pictures=200, protocol="3.1.1")
    yield made
    made.close()


@pytest.mark.parametrize("fleet", ["mosquitto", "embedded"], indirect=True)
@MANY
def test_a_device_killed_at_random_moments_loses_and_repeats_nothing_that_it_has_appended(
    device: Device, fleet: Fleet, kills: int
) -> None:
    rng, promised = random.Random(1), 0
    first_s = first_record_s(device)
    for done in range(1, 4 * kills):  # a machine that has become busy needs more of them
        device.start()
        random_moment(rng, 2 * first_s)
        device.kill()
        assert device.last_seq >= promised
        promised = device.last_seq
        if done >= kills and promised > 100:
            break
    summary = device.run_to_end(DELIVERS_WITHIN_S)
    assert summary["captured"] == 200
    assert_everything_arrived_once(device, fleet)
    assert promised > 100, "the kills came before anything was stored: the test proves nothing"


@SEVERAL
def test_a_fleet_killed_at_random_moments_ends_with_every_record_once(device: Device, fleet: Fleet, kills: int) -> None:
    rng, under_way = random.Random(2), 0
    start_long_enough(device, kills)
    for _ in range(kills):
        random_moment(rng, 0.6)
        fleet.kill()
        random_moment(rng, 0.2)
        under_way += device.last_seq > device.watermark
        fleet.start()
    assert under_way, "nothing was under way: the test proves nothing"
    device.stop()
    device.run_to_end(DELIVERS_WITHIN_S)
    assert_everything_arrived_once(device, fleet)


@SEVERAL
def test_a_broker_killed_and_started_at_random_moments_costs_nothing(
    device: Device, fleet: Fleet, mosquitto: Mosquitto, kills: int
) -> None:
    rng = random.Random(3)
    start_long_enough(device, kills)
    for _ in range(kills):
        random_moment(rng, 1.2)
        mosquitto.kill()
        random_moment(rng, 0.3)
        mosquitto.start()
    assert device.last_seq > 4, "nothing was under way: the test proves nothing"
    device.stop()
    device.run_to_end(DELIVERS_WITHIN_S)
    assert_everything_arrived_once(device, fleet)


def test_everything_is_killed_at_once_and_again(device: Device, fleet: Fleet, mosquitto: Mosquitto) -> None:
    rng = random.Random(4)
    for _ in range(4):
        device.start()
        random_moment(rng, 2.0)
        for victim in rng.sample([device, fleet, mosquitto], 3):
            victim.kill()
        mosquitto.start()
        fleet.start()
    device.run_to_end(DELIVERS_WITHIN_S)
    assert_everything_arrived_once(device, fleet)


def test_a_fleet_that_has_lost_its_store_has_everything_again_after_the_next_records(
    device: Device, fleet: Fleet
) -> None:
    device.run_to_end(DELIVERS_WITHIN_S)
    fleet.kill()
    for file in (fleet.folder / "state").glob("fleet.sqlite*"):
        file.unlink()
    fleet.start()
    device.run_to_end(DELIVERS_WITHIN_S)
    assert_everything_arrived_once(device, fleet)


def test_a_terminated_device_ends_in_order_and_counts_every_picture(device: Device, fleet: Fleet) -> None:
    device.start()
    wait_for(lambda: device.watermark > 20, DELIVERS_WITHIN_S, lambda: device.log)
    code, output = device.stop()
    assert code == 0
    assert '"failed": 0' in output
    assert "Traceback" not in device.log
    assert device.tallies()[-1][0] == device.tallies()[-1][1] > 0
    device.run_to_end(DELIVERS_WITHIN_S)
    assert_everything_arrived_once(device, fleet)


def first_record_s(device: Device) -> float:
    """How long this machine takes, as busy as it is, from a start to the first record on the disk."""
    began_s = time.monotonic()
    device.start()
    wait_for(lambda: device.last_seq > 0, DELIVERS_WITHIN_S, lambda: device.log)
    device.kill()
    return time.monotonic() - began_s


def start_long_enough(device: Device, kills: int) -> None:
    """Slow enough that there is something under way until the last kill."""
    device.settings["camera"] = {"max_fps": 100 / kills}
    device.start()
    wait_for(lambda: device.last_seq > 0, DELIVERS_WITHIN_S, lambda: device.log)
