"""The publisher against a real Mosquitto that falls over in every way."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.contract.messages import Ack, Health, Info, State
from edge.contract.records import EventKind
from edge.contract.topics import ACK, STATE, Address
from edge.link import Link
from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.settings import MqttSettings, OutboxSettings
from tests.sim.damage import scribble
from tests.sim.fleet_peer import FleetPeer
from tests.sim.mosquitto import Mosquitto, free_port, require_mosquitto
from tests.sim.records import BEGIN, event, observation

ACK_TOPIC = str(Address("north", "cam-7", ACK))


class Device:
    """An outbox and its publisher."""

    def __init__(self, folder: Path, port: int, **settings: object) -> None:
        self.outbox = Outbox(folder / "outbox.sqlite", OutboxSettings())
        values = {"host": "127.0.0.1", "port": port, "resend_after_s": 0.3, "batch_records": 20, **settings}
        self.publisher = Publisher(self.outbox, MqttSettings(**values), "north", "cam-7", self._info, self._health)
        self.publisher.start()

    def append(self, count: int, first: int = 0) -> None:
        for start in range(first, first + count, 50):
            last = min(start + 50, first + count)
            self.outbox.append([observation(number, f"cam{number % 2}") for number in range(start, last)])

    def close(self) -> None:
        self.publisher.stop(2.0)
        self.outbox.close()

    def _info(self) -> Info:
        return Info(boot_id="boot-1", software="0.1.0", hardware="test", python="3")

    def _health(self) -> Health:
        at = self.outbox.position
        return Health(at=BEGIN, boot_id="boot-1", epoch=at.epoch, last_seq=at.last_seq, watermark=at.watermark)


@pytest.fixture
def device_on(tmp_path: Path) -> Iterator[Callable[..., Device]]:
    devices: list[Device] = []

    def make(port: int, **settings: object) -> Device:
        devices.append(Device(tmp_path / "device", port, **settings))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


@pytest.fixture
def fleet_on() -> Iterator[Callable[..., FleetPeer]]:
    peers: list[FleetPeer] = []

    def make(port: int, **options: object) -> FleetPeer:
        peers.append(FleetPeer(port, **options).start())
        return peers[-1]

    yield make
    for peer in peers:
        peer.stop()


def assert_complete(fleet: FleetPeer, device: Device) -> None:
    assert fleet.problems == []
    assert fleet.numbers(device.outbox.epoch) == list(range(1, device.outbox.last_seq + 1))
    assert device.outbox.watermark == device.outbox.last_seq


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_everything_arrives_under_its_number_and_the_watermark_comes_back(mosquitto, device_on, fleet_on, protocol):
    fleet = fleet_on(mosquitto.port)
    device = device_on(mosquitto.port, protocol=protocol)
    device.append(230)
    device.outbox.append([event(1), event(2, "second")])
    assert device.publisher.wait_delivered(20)
    assert_complete(fleet, device)
    assert fleet.entries[device.outbox.epoch, 3].record == observation(2, "cam0")
    assert fleet.entries[device.outbox.epoch, 232].record.message == "second"
    assert fleet.states[-1] is True
    assert fleet.infos == ["0.1.0"]


def test_a_broker_that_is_absent_at_the_start_is_found_when_it_comes(tmp_path, device_on, fleet_on, caplog):
    require_mosquitto()
    broker = Mosquitto(tmp_path / "late")
    broker.port = free_port()
    device = device_on(broker.port)
    device.append(30)
    assert not device.publisher.wait_delivered(1.5)
    assert [record.levelname for record in caplog.records if record.name == "edge.publisher"] == ["WARNING"]
    broker.start()
    try:
        fleet = fleet_on(broker.port)
        assert device.publisher.wait_delivered(20)
        assert_complete(fleet, device)
    finally:
        device.close()
        broker.stop()


@pytest.mark.parametrize("blow", ["restart", "kill"])
def test_a_broker_that_falls_over_while_it_carries_a_backlog_costs_no_record(mosquitto, device_on, fleet_on, blow):
    fleet = fleet_on(mosquitto.port)
    device = device_on(mosquitto.port, window_records=100)
    device.append(1_500)
    for reached in (200, 700):
        assert fleet.wait_for(lambda fleet, reached=reached: len(fleet.entries) >= reached)
        getattr(mosquitto, blow)()
        if blow == "kill":
            mosquitto.start()
    assert device.publisher.wait_delivered(40)
    assert_complete(fleet, device)


def test_a_broker_that_loses_a_third_of_everything_still_leads_to_a_complete_store(mosquitto, device_on, fleet_on):
    fleet = fleet_on(mosquitto.port, loses=0.3)
    device = device_on(mosquitto.port)
    device.append(400)
    assert device.publisher.wait_delivered(60)
    assert_complete(fleet, device)
    assert fleet.repeats > 0


def test_nothing_is_forgotten_while_the_fleet_is_silent(mosquitto, device_on, fleet_on):
    fleet = fleet_on(mosquitto.port, acknowledges=False)
    device = device_on(mosquitto.port)
    device.append(100)
    assert fleet.wait_for(lambda fleet: fleet.repeats > 0)
    assert device.outbox.watermark == 0
    device.outbox.prune(now_s=time.time() + 1e9)
    assert device.outbox.stats().undelivered == 100
    fleet.acknowledges = True
    assert device.publisher.wait_delivered(30)


def test_a_network_that_goes_half_open_is_noticed_and_left(mosquitto, device_on, fleet_on):
    device = device_on(mosquitto.port, keepalive_s=5)
    fleet = fleet_on(mosquitto.port)
    device.append(10)
    assert device.publisher.wait_delivered(20)
    mosquitto.freeze()
    device.append(10, first=10)
    deadline = time.monotonic() + 25
    while device.publisher.connected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not device.publisher.connected
    mosquitto.thaw()
    assert device.publisher.wait_delivered(30)
    assert_complete(fleet, device)


def test_garbage_on_the_ack_topic_is_ignored_and_told_once(mosquitto, device_on, fleet_on, caplog):
    fleet = fleet_on(mosquitto.port, acknowledges=False)
    device = device_on(mosquitto.port)
    device.append(20)
    epoch = device.outbox.epoch
    assert fleet.wait_for(lambda fleet: len(fleet.entries) == 20)
    for payload in (b"", b"\xff\xfe", b"[]", b'{"schema":1}', b'{"schema":1,"epoch":"../../x","seq":3}', b"x" * 4097):
        fleet.publish_raw(ACK_TOPIC, payload)
        fleet.publish_raw(ACK_TOPIC, payload)
    for seq in ("-1", "1e99", '"9999999"', "null"):
        fleet.publish_raw(ACK_TOPIC, f'{{"schema":1,"epoch":"{epoch}","seq":{seq}}}'.encode())
    fleet.publish_raw(ACK_TOPIC, f'{{"schema":1,"epoch":"{"0" * 32}","seq":20}}'.encode())
    fleet.publish_raw(ACK_TOPIC, f'{{"schema":1,"epoch":"{epoch}","seq":21}}'.encode())
    fleet.publish_raw(ACK_TOPIC, f'{{"schema":1,"epoch":"{epoch}","seq":7}}'.encode())
    deadline = time.monotonic() + 10
    while device.outbox.watermark != 7 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert device.outbox.watermark == 7
    told = [record.message for record in caplog.records if record.name == "edge.publisher"]
    assert len(told) == len(set(told))
    assert any("older copy" in message for message in told)


def test_a_fleet_that_has_lost_its_store_gets_everything_again(mosquitto, device_on, fleet_on):
    device = device_on(mosquitto.port, resend_after_s=0.3)
    first = fleet_on(mosquitto.port)
    device.append(200)
    assert device.publisher.wait_delivered(20)
    first.stop()
    after = fleet_on(mosquitto.port)
    device.append(50, first=200)
    epoch = device.outbox.epoch
    assert after.wait_for(lambda fleet: len(fleet.numbers(epoch)) == 250)
    assert device.publisher.wait_delivered(20)
    assert_complete(after, device)


def test_an_old_word_of_the_fleet_that_comes_again_moves_nothing(mosquitto, device_on, fleet_on):
    device = device_on(mosquitto.port, resend_after_s=0.3)
    fleet = fleet_on(mosquitto.port)
    device.append(200)
    assert device.publisher.wait_delivered(20)
    fleet.publish_raw(ACK_TOPIC, Ack(epoch=device.outbox.epoch, seq=10).encode())
    fleet.publish_raw(ACK_TOPIC, Ack(epoch=device.outbox.epoch, seq=200).encode())
    time.sleep(0.5)
    fleet.publish_raw(ACK_TOPIC, Ack(epoch=device.outbox.epoch, seq=10).encode())
    fleet.publish_raw(ACK_TOPIC, Ack(epoch=device.outbox.epoch, seq=11).encode())
    device.append(10, first=200)
    assert device.publisher.wait_delivered(20)
    assert fleet.repeats == 0


def test_stopping_says_goodbye_and_does_not_wait_out_its_limit(mosquitto, device_on, fleet_on):
    fleet = fleet_on(mosquitto.port)
    device = device_on(mosquitto.port)
    assert fleet.wait_for(lambda fleet: fleet.states[-1:] == [True])
    device.publisher.stop(600.0)  # longer than a test may last
    assert fleet.wait_for(lambda fleet: fleet.states[-1] is False)
    assert not device.publisher.connected


def test_a_device_that_falls_silent_is_declared_offline_by_the_broker(mosquitto, fleet_on):
    fleet = fleet_on(mosquitto.port)
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    link = Link(settings, "north", "cam-7", will=State(online=False, boot_id="boot-1", at=BEGIN))
    link.open()
    link.publish(STATE, State(online=True, boot_id="boot-1", at=BEGIN).encode())
    assert fleet.wait_for(lambda fleet: fleet.states == [True])
    link._client.socket().shutdown(socket.SHUT_RDWR)
    assert fleet.wait_for(lambda fleet: fleet.states == [True, False])


def test_a_broker_that_refuses_the_device_is_told_as_an_error_with_what_to_do(tmp_path, device_on, caplog):
    require_mosquitto()
    broker = Mosquitto(tmp_path / "closed", "allow_anonymous false\n")
    broker.start()
    try:
        device = device_on(broker.port)
        deadline = time.monotonic() + 10
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.02)
        device.close()
    finally:
        broker.stop()
    (refusal,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "refuses north/cam-7" in refusal.message
    assert "CANOPY_MQTT_PASSWORD" in refusal.message


def test_live_records_overtake_a_backlog_of_days(tmp_path, mosquitto, device_on, fleet_on):
    fleet = fleet_on(mosquitto.port, acknowledges=False)
    yesterday = Outbox(tmp_path / "device" / "outbox.sqlite", OutboxSettings())
    yesterday.append([observation(number) for number in range(2_000)])
    yesterday.close()
    device = device_on(mosquitto.port, window_records=40, resend_after_s=3600)
    assert fleet.wait_for(lambda fleet: len(fleet.entries) >= 20)
    device.append(5, first=2_000)
    assert fleet.wait_for(lambda fleet: (device.outbox.epoch, 2_005) in fleet.entries)
    assert len(fleet.entries) < 200


def test_a_database_that_breaks_at_work_is_replaced_and_the_new_stream_is_delivered(mosquitto, device_on, fleet_on):
    fleet = fleet_on(mosquitto.port)
    device = device_on(mosquitto.port)
    device.append(200)
    assert device.publisher.wait_delivered(20)
    old_epoch = device.outbox.epoch
    device.outbox._stream.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    device.outbox._stream.connection.execute("PRAGMA shrink_memory")
    scribble(device.outbox._path, first_byte=200)
    device.append(30, first=200)
    assert device.outbox.epoch != old_epoch
    assert device.publisher.wait_delivered(20)
    assert_complete(fleet, device)
    news = fleet.entries[device.outbox.epoch, 1].record
    assert (news.kind, news.detail["epoch"], news.detail["watermark"]) == (EventKind.STORE_QUARANTINED, old_epoch, 200)
