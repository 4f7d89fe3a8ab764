"""The embedded broker keeps the promises that devices and the fleet build on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue

import paho.mqtt.client as mqtt
import pytest

from fleet.broker import EmbeddedBroker
from fleet.errors import BrokerError

MAX_PACKET_BYTES = 10_000
WITHIN_S = 10


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    started = EmbeddedBroker("127.0.0.1", 0, MAX_PACKET_BYTES)
    started.start()
    yield started
    started.stop()


@contextmanager
def connected(broker: EmbeddedBroker, topic: str = "none") -> Iterator[tuple[mqtt.Client, Queue[mqtt.MQTTMessage]]]:
    """A client that has subscribed to the topic."""
    ready, inbox = threading.Event(), Queue[mqtt.MQTTMessage]()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: inbox.put(message)
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert ready.wait(WITHIN_S)
    yield client, inbox
    client.disconnect()
    client.loop_stop()


def test_a_message_is_delivered_with_quality_of_service_1(broker: EmbeddedBroker) -> None:
    with connected(broker, "a/+/c") as (_, inbox), connected(broker) as (sender, _):
        sender.publish("a/b/c", b"1", qos=1).wait_for_publish(WITHIN_S)
        message = inbox.get(timeout=WITHIN_S)
        assert (message.payload, message.qos, message.retain) == (b"1", 1, False)


def test_a_retained_message_waits_for_those_who_come_later(broker: EmbeddedBroker) -> None:
    with connected(broker) as (sender, _):
        for payload in (b"old", b"new"):
            sender.publish("a/state", payload, qos=1, retain=True).wait_for_publish(WITHIN_S)
    with connected(broker, "a/state") as (_, inbox):
        message = inbox.get(timeout=WITHIN_S)
        assert (message.payload, message.retain) == (b"new", True)


def test_the_last_will_is_published_when_a_device_vanishes(broker: EmbeddedBroker) -> None:
    with connected(broker, "a/state") as (_, inbox):
        device = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        device.will_set("a/state", b"offline", qos=1, retain=True)
        device.connect(broker.host, broker.port)
        device.loop_start()
        device.publish("a/state", b"online", qos=1, retain=True).wait_for_publish(WITHIN_S)
        vanished = device.socket()
        assert vanished
        vanished.shutdown(socket.SHUT_RDWR)
        device.loop_stop()
        vanished.close()
        assert [inbox.get(timeout=WITHIN_S).payload for _ in range(2)] == [b"online", b"offline"]
    with connected(broker, "a/state") as (_, inbox):
        assert inbox.get(timeout=WITHIN_S).payload == b"offline"


@pytest.mark.parametrize(
    "announced",
    [b"\x10\xff\xff\xff\x7f\x00\x04MQTT", b"\x30\xff\xff\xff\x7f", b"GET / HTTP/1.1\r\n\r\n", b"\x00", b"\xff" * 64],
    ids=["huge connect", "huge publish", "http", "nothing", "noise"],
)
def test_a_hostile_connection_is_ended_and_the_others_go_on(broker: EmbeddedBroker, announced: bytes) -> None:
    with connected(broker, "a") as (client, inbox):
        with socket.create_connection((broker.host, broker.port), timeout=WITHIN_S) as hostile:
            hostile.sendall(announced)
        client.publish("a", b"still here", qos=1)
        assert inbox.get(timeout=WITHIN_S).payload == b"still here"


def test_a_packet_above_the_limit_ends_its_connection_before_it_is_read(broker: EmbeddedBroker) -> None:
    gone = threading.Event()
    with connected(broker, "a") as (_, inbox), connected(broker) as (sender, _):
        sender.on_disconnect = lambda *_: gone.set()
        sender.publish("a", b"x" * (MAX_PACKET_BYTES + 1), qos=0)
        assert gone.wait(WITHIN_S)
        assert inbox.empty()


def test_a_port_that_is_taken_is_named(broker: EmbeddedBroker) -> None:
    with pytest.raises(BrokerError, match=str(broker.port)):
        EmbeddedBroker(broker.host, broker.port, MAX_PACKET_BYTES).start()


def test_it_says_nothing_and_leaves_no_thread(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = set(threading.enumerate())
    broker = EmbeddedBroker("127.0.0.1", 0, MAX_PACKET_BYTES)
    broker.start()
    with connected(broker, "a") as (client, inbox):
        client.publish("a", b"1", qos=1)
        inbox.get(timeout=WITHIN_S)
        broker.stop()
    assert set(threading.enumerate()) <= before
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
