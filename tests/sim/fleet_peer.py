"""A fleet in one object: records what a device sends, and acknowledges it with a watermark as the contract says."""

import random
import threading
from collections.abc import Callable

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.contract.message import Entry
from edge.contract.messages import Ack
from edge.contract.topics import (
    ACK,
    CHANNELS,
    EVENT,
    HEALTH,
    INFO,
    OBS,
    STATE,
    Address,
    decode,
    parse_topic,
    subscription,
)


class FleetPeer:
    """Remembers everything over its own restarts (``stop``, ``start``), as a database would.

    Args:
        port: the broker's, on 127.0.0.1.
        loses: share of the batches that it pretends never to have seen.
        acknowledges: whether it publishes watermarks.
    """

    def __init__(self, port: int, *, loses: float = 0.0, acknowledges: bool = True, seed: int = 1) -> None:
        self.entries: dict[tuple[str, int], Entry] = {}
        self.repeats = 0
        self.order: list[int] = []
        self.states: list[bool] = []
        self.infos: list[str] = []
        self.healths = 0
        self.problems: list[str] = []
        self.acknowledges = acknowledges
        self._port, self._loses, self._random = port, loses, random.Random(seed)
        self._covered: dict[str, set[int]] = {}
        self._watermarks: dict[str, int] = {}
        self._changed = threading.Condition()
        self._client: Client | None = None

    def start(self) -> "FleetPeer":
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        subscribed = threading.Event()
        client.on_connect = lambda client, *_: client.subscribe(
            [(subscription(channel), 1) for channel in (OBS, EVENT, STATE, INFO, HEALTH)]
        )
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", self._port, properties=Properties(PacketTypes.CONNECT))
        client.loop_start()
        assert subscribed.wait(10), "the fleet peer did not reach the broker"
        self._client = client
        return self

    def stop(self) -> None:
        client, self._client = self._client, None
        if client:
            client.disconnect()
            client.loop_stop()

    def watermark(self, epoch: str) -> int:
        return self._watermarks.get(epoch, 0)

    def numbers(self, epoch: str) -> list[int]:
        """Every number of an epoch that stands in the store, by a record or by a gap."""
        return sorted(self._covered.get(epoch, set()))

    def wait_for(self, condition: Callable[["FleetPeer"], bool], timeout_s: float = 20.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_s)

    def publish_raw(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert self._client
        self._client.publish(topic, payload, 1, retain).wait_for_publish(10)

    def _on_message(self, client: Client, _userdata: object, message: MQTTMessage) -> None:
        with self._changed:
            try:
                self._take(client, parse_topic(message.topic), bytes(message.payload))
            except ValueError as error:
                self.problems.append(f"{message.topic}: {error}")
            self._changed.notify_all()

    def _take(self, client: Client, address: Address, payload: bytes) -> None:
        body = decode(CHANNELS[address.channel.name], payload)
        if address.channel in (OBS, EVENT):
            if self._random.random() >= self._loses:
                self._store(client, address, body)
        elif address.channel is STATE:
            self.states.append(body.online)
        elif address.channel is INFO:
            self.infos.append(body.software)
        else:
            self.healths += 1

    def _store(self, client: Client, address: Address, batch) -> None:
        covered = self._covered.setdefault(batch.epoch, set())
        for item in batch.items:
            self.repeats += (batch.epoch, item.seq) in self.entries
            self.entries.setdefault((batch.epoch, item.seq), item)
            self.order.append(item.seq)
            covered.update(range(item.span[0], item.span[1] + 1))
        watermark = self._watermarks.get(batch.epoch, 0)
        while watermark + 1 in covered:
            watermark += 1
        self._watermarks[batch.epoch] = watermark
        if self.acknowledges:
            ack = Ack(epoch=batch.epoch, seq=watermark)
            client.publish(str(Address(address.site, address.device, ACK)), ack.encode(), ACK.qos, ACK.retain)
