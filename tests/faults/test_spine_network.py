"""The network between device, broker and fleet loses, repeats, delays and cuts: the fleet has each record once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.mosquitto import Mosquitto
from tests.sim.mqtt_proxy import Misdeeds, MqttProxy
from tests.sim.spine import Device, Fleet, assert_everything_arrived_once, wait_for

DELIVERS_WITHIN_S = 90.0
BAD = Misdeeds(lose=0.15, lose_most=5, repeat=0.3, hold=0.1)


@pytest.fixture
def proxy(mosquitto: Mosquitto) -> Iterator[MqttProxy]:
    made = MqttProxy(mosquitto.port, Misdeeds(), seed=7)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("misdeeds", "proof"),
    [
        (Misdeeds(lose=0.25, lose_most=30), lambda proxy: proxy.lost),
        (Misdeeds(repeat=0.5), lambda proxy: proxy.repeated),
        (Misdeeds(hold=0.3), lambda proxy: proxy.held),
        (Misdeeds(cut_after=4), lambda proxy: proxy.cuts),
    ],
    ids=["loses", "repeats", "reorders", "cuts in mid-packet"],
)
def test_what_happens_between_device_and_broker_costs_nothing(
    tmp_path: Path, mosquitto: Mosquitto, proxy: MqttProxy, misdeeds: Misdeeds, proof
) -> None:
    fleet, device = Fleet(tmp_path / "fleet", mosquitto.port), device_behind(proxy, tmp_path)
    proxy.misdeeds = misdeeds
    try:
        fleet.start()
        device.start("--until-end")
        wait_for(lambda: proof(proxy) > 2 or device.watermark == device.last_seq > 480, 20, lambda: device.log)
        proxy.misdeeds = Misdeeds() if misdeeds.cut_after else misdeeds
        code, _ = device.wait(DELIVERS_WITHIN_S)
        assert code == 0, device.log
        assert proof(proxy) > 0, "nothing went wrong: the test proves nothing"
        assert_everything_arrived_once(device, fleet)
        assert fleet.camera_kinds() == ["folder"]
    finally:
        device.close()
        fleet.close()


def test_a_bad_network_on_both_sides_of_the_broker_costs_nothing(
    tmp_path: Path, mosquitto: Mosquitto, proxy: MqttProxy
) -> None:
    """What is lost on the way to the fleet, the broker has acknowledged: its word is worth nothing."""
    behind = MqttProxy(mosquitto.port, BAD, seed=8)
    proxy.misdeeds = BAD
    fleet, device = Fleet(tmp_path / "fleet", behind.port), device_behind(proxy, tmp_path)
    try:
        fleet.start()
        device.start("--until-end")
        wait_for(lambda: behind.lost > 0 and device.last_seq > 480, 30, lambda: device.log)
        code, _ = device.wait(DELIVERS_WITHIN_S)
        assert code == 0, device.log
        assert behind.lost > 0
        assert_everything_arrived_once(device, fleet)
    finally:
        device.close()
        fleet.close()
        behind.close()


def device_behind(proxy: MqttProxy, tmp_path: Path) -> Device:
    return Device(tmp_path / "device", proxy.port, pictures=120, mqtt={"resend_after_s": 0.5})
