"""The ingest over real brokers: nothing is acknowledged before it is stored, and nothing stops it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.broker import EmbeddedBroker
from fleet.errors import StoreUnavailable
from fleet.ingest.ingest import MAX_PACKET_BYTES, Ingest
from fleet.questions import views
from fleet.settings import MqttSettings
from fleet.store import Store
from tests.sim.fleet_device import FleetDevice
from tests.sim.fleet_records import OTHER_EPOCH, batch, gap, health
from tests.sim.mosquitto import Mosquitto

WITHIN_S = 20.0


@pytest.fixture(params=["embedded", "mosquitto"])
def mqtt(request: pytest.FixtureRequest) -> Iterator[MqttSettings]:
    if request.param == "mosquitto":
        yield MqttSettings(embedded=False, port=request.getfixturevalue("mosquitto").port)
        return
    broker = EmbeddedBroker("127.0.0.1", 0, MAX_PACKET_BYTES)
    broker.start()
    yield MqttSettings(port=broker.port)
    broker.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def ingest(store: Store, mqtt: MqttSettings) -> Iterator[Ingest]:
    running = started(store, mqtt)
    yield running
    running.stop()


@pytest.fixture
def device(mqtt: MqttSettings) -> Iterator[FleetDevice]:
    made = FleetDevice(mqtt.port, total=200)
    yield made
    made.close()


def started(store: Store, mqtt: MqttSettings) -> Ingest:
    running = Ingest(store, mqtt, mqtt.port)
    running.start()
    assert running.wait_subscribed(WITHIN_S)
    return running


def accounts(store: Store, device: str = "dev") -> list[views.StreamAccount]:
    with store.reading() as connection:
        found = views.find_device(connection, "site", device)
        return views.stream_accounts(connection, found["id"]) if found else []


def eventually(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    return happened()


def test_everything_that_a_device_has_is_stored_once_and_acknowledged(
    store: Store, ingest: Ingest, device: FleetDevice
) -> None:
    assert device.deliver(WITHIN_S)
    (account,) = accounts(store)
    assert (account.watermark, account.received, account.missing) == (200, 200, 0)


def test_two_devices_and_two_epochs_are_acknowledged_apart(store: Store, ingest: Ingest, mqtt: MqttSettings) -> None:
    devices = [
        FleetDevice(mqtt.port, 40),
        FleetDevice(mqtt.port, 70, "other"),
        FleetDevice(mqtt.port, 30, epoch=OTHER_EPOCH),
    ]
    for one in devices:
        assert one.deliver(WITHIN_S)
        one.close()
    assert {(account.epoch, account.received) for account in accounts(store)} == {
        (devices[0].epoch, 40),
        (OTHER_EPOCH, 30),
    }
    assert [account.received for account in accounts(store, "other")] == [70]


def test_a_repeat_is_answered_again_because_the_answer_may_have_been_lost(ingest: Ingest, device: FleetDevice) -> None:
    for times in (1, 2, 3):
        device.publish(batch(range(1, 11)))
        assert device.wait_acknowledged(times)
    assert device.acknowledged == [10, 10, 10]


def test_a_later_batch_alone_acknowledges_nothing(ingest: Ingest, device: FleetDevice) -> None:
    device.publish(batch(range(11, 21)))
    assert device.wait_acknowledged(1)
    device.publish(batch(range(1, 11)))
    assert device.wait_acknowledged(2)
    assert device.acknowledged == [0, 20]


def test_a_gap_is_acknowledged_and_shown_as_dropped(store: Store, ingest: Ingest, device: FleetDevice) -> None:
    device.publish_raw("event", gap(1, 50).encode())
    assert device.wait_acknowledged(1)
    assert (device.watermark, accounts(store)[0].dropped) == (50, 50)


def test_garbage_oversize_and_foreign_topics_are_rejected_and_the_rest_goes_on(
    store: Store, ingest: Ingest, device: FleetDevice
) -> None:
    for name, payload in (
        ("obs/cam", b"\xff\x00 rubbish"),
        ("obs/cam", json.dumps({"epoch": "x", "items": [1]}).encode()),
        ("obs/" + "n" * 100, batch([1]).encode()),
        ("obs/other", batch([1]).encode()),
        ("state", b"{" + b" " * 5_000 + b"}"),
        ("event", b"x" * 1_500_000),
        ("health", health(3).encode().replace(b'"last_seq":3', b'"last_seq":1' + 20 * b"0")),
    ):
        device.publish_raw(name, payload)
    assert device.deliver(WITHIN_S)
    assert eventually(lambda: ingest.counts.rejected >= 7)
    with store.reading() as connection:
        assert sum(row["count"] for row in views.list_rejects(connection)) >= 7
    assert accounts(store)[0].received == 200


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(blacklist_characters="#+\0", blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    st.binary(max_size=300),
)
def test_fuzzed_topics_and_payloads_do_not_end_the_ingest(
    ingest: Ingest, device: FleetDevice, name: str, payload: bytes
) -> None:
    device.publish_raw(f"obs/{name}", payload)
    heard = len(device.acknowledged)
    device.publish(batch([1]))
    assert device.wait_acknowledged(heard + 1)


def test_while_the_store_cannot_be_written_nothing_is_acknowledged_and_afterwards_everything(
    store: Store, ingest: Ingest, device: FleetDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = store.commit

    def full(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(store, "commit", full)
    assert not device.deliver(WITHIN_S, until=lambda: ingest.counts.store_errors >= 3)
    assert (device.acknowledged, accounts(store), ingest.writing) == ([], [], False)
    monkeypatch.setattr(store, "commit", commit)
    assert device.deliver(WITHIN_S)
    assert accounts(store)[0].received == 200
    assert ingest.writing


def test_an_acknowledgement_is_never_beyond_what_is_committed(
    store: Store, ingest: Ingest, device: FleetDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[int, int]] = []
    tell = ingest._tell

    def watched(marks: list) -> None:
        stored = {account.epoch: account.watermark for account in accounts(store)}
        said.extend((mark.seq, stored[mark.epoch]) for mark in marks)
        tell(marks)

    monkeypatch.setattr(ingest, "_tell", watched)
    assert device.deliver(WITHIN_S)
    assert said
    assert all(acknowledged <= committed for acknowledged, committed in said)


def test_a_device_hears_its_watermark_again_although_the_broker_forgot_it(store: Store, mosquitto: Mosquitto) -> None:
    mqtt = MqttSettings(embedded=False, port=mosquitto.port)
    ingest, device = started(store, mqtt), FleetDevice(mqtt.port, total=30)
    assert device.deliver(WITHIN_S)
    device.close()
    ingest.stop()
    mosquitto.restart()
    silent = FleetDevice(mqtt.port, total=30)
    again = started(store, mqtt)
    assert silent.wait_acknowledged(1)
    assert silent.watermark == 30
    silent.close()
    again.stop()


def test_a_broker_that_is_killed_and_comes_back_empty_costs_nothing(store: Store, mosquitto: Mosquitto) -> None:
    mqtt = MqttSettings(embedded=False, port=mosquitto.port)
    ingest, device = started(store, mqtt), FleetDevice(mqtt.port, total=600)
    device.deliver(WITHIN_S, until=lambda: device.watermark >= 100)
    mosquitto.kill()
    mosquitto.start()
    assert device.deliver(WITHIN_S)
    device.close()
    ingest.stop()
    (account,) = accounts(store)
    assert (account.received, account.watermark) == (600, 600)
