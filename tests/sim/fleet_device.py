"""A device's sending half, as simple as it can be: keeps its records, sends from the watermark, forgets below it."""

import json
import threading
import time
from collections.abc import Callable

import paho.mqtt.client as mqtt

from edge.contract.messages import ObservationBatch
from tests.sim.fleet_records import EPOCH, batch

BATCH, WINDOW = 10, 60


class FleetDevice:
    """Has ``total`` observations in one epoch; ``watermark`` is what the fleet has acknowledged."""

    def __init__(self, port: int, total: int, device: str = "dev", epoch: str = EPOCH) -> None:
        self.total, self.epoch, self.device = total, epoch, device
        self.watermark = 0
        self.acknowledged: list[int] = []
        self._changed = threading.Condition()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe(f"canopy/v1/site/{device}/ack", 1)
        self._client.on_message = self._on_ack
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def deliver(self, give_up_after_s: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Send until everything is acknowledged; from the watermark again whenever it stands still."""
        deadline = time.monotonic() + give_up_after_s
        sent = self.watermark
        while self.watermark < self.total and time.monotonic() < deadline and not until():
            before = self.watermark
            while sent < min(self.total, self.watermark + WINDOW) and self._client.is_connected():
                last = min(sent + BATCH, self.total)
                self.publish(batch(range(sent + 1, last + 1), self.epoch))
                sent = last
            with self._changed:
                if not self._changed.wait_for(lambda: self.watermark > before, 0.3):  # noqa: B023 - used at once
                    sent = self.watermark
        return self.watermark >= self.total

    def publish(self, message: ObservationBatch) -> None:
        self.publish_raw("obs/cam", message.encode())

    def publish_raw(self, name: str, payload: bytes) -> None:
        self._client.publish(f"canopy/v1/site/{self.device}/{name}", payload, qos=1)

    def wait_acknowledged(self, times: int, timeout_s: float = 10.0) -> bool:
        """Whether so many acknowledgements came."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.acknowledged) >= times, timeout_s)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_ack(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        ack = json.loads(message.payload)
        with self._changed:
            if ack["epoch"] == self.epoch:
                self.acknowledged.append(ack["seq"])
                self.watermark = max(self.watermark, ack["seq"])
            self._changed.notify_all()
