"""One connection to the broker, from CONNECT to DISCONNECT, for the use of one thread.

It begins clean (no session at the broker): the watermark is retained, so the first thing that a new connection hears
is how far the fleet is, and a session would only keep what is stale by then. A new connection is a new ``Link``, so
nothing of the last one can linger.
"""

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.contract.messages import State
from edge.contract.tls import meaning
from edge.contract.topics import ACK, CMD, DESIRED, STATE, Address, Channel
from edge.errors import DeliveryError
from edge.settings import MqttSettings

CONNECT_TIMEOUT_S = 10.0
HEARD = (ACK, DESIRED, CMD)
MAX_PACKET_BYTES = 2 * max(channel.max_bytes for channel in HEARD)
Heard = tuple[Channel, bytes]
"""A channel and a payload that came on it."""

TRANSIENT = {"Server unavailable", "Server busy", "Quota exceeded", "Connection rate exceeded", "Use another server"}


class LinkDown(DeliveryError):
    """The broker is not reached now; it may be in a moment."""


class Link:
    """Publish to the device's topics, and hear its watermark, what is wanted of it and its commands.

    Args:
        settings: where the broker is.
        site: the device's site.
        device: the device.
        will: what the broker says when the device falls silent.
    """

    def __init__(self, settings: MqttSettings, site: str, device: str, will: State) -> None:
        self.refusal = ""
        self._settings, self._site, self._device = settings, site, device
        self._unacknowledged: set[int] = set()
        self._acknowledged_at_s = time.monotonic()
        self._heard: list[Heard] = []
        self._answer: ReasonCode | None = None
        self._parting = ""
        self._said = ""
        self._client = self._make_client(will)

    @property
    def in_flight(self) -> int:
        """Messages that the broker has not acknowledged."""
        return len(self._unacknowledged)

    @property
    def owes_s(self) -> float:
        """How long the broker has acknowledged nothing although it should; 0 while it owes nothing."""
        return time.monotonic() - self._acknowledged_at_s if self._unacknowledged else 0.0

    def open(self) -> None:
        """Connect and wait for the broker's answer.

        Raises:
            LinkDown: no answer, or not now.
            DeliveryError: the broker refuses this device, or one of the two does not believe the other's certificate;
                trying again will not help before somebody acts.
        """
        with self._errors():
            limits = _limits() if self._settings.protocol == "5" else None
            self._client.connect(
                self._settings.host, self._settings.port, self._settings.keepalive_s, properties=limits
            )
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while self._answer is None:
            if time.monotonic() > deadline:
                raise LinkDown(f"{self._where} does not answer within {CONNECT_TIMEOUT_S:.0f} s; see that it is MQTT")
            self._exchange(0.1)
        with self._errors():
            wanted = [(str(Address(self._site, self._device, channel)), channel.qos) for channel in HEARD]
            self._client.subscribe(wanted)

    def publish(self, channel: Channel, payload: bytes, camera: str | None = None) -> None:
        """Hand one message to the network; the broker's acknowledgement comes later.

        Raises:
            LinkDown: the connection is gone.
        """
        with self._errors():
            topic = str(Address(self._site, self._device, channel, camera))
            sent = self._client.publish(topic, payload, channel.qos, channel.retain)
        if sent.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._lost(sent.rc)
        if channel.qos:
            if not self._unacknowledged:
                self._acknowledged_at_s = time.monotonic()
            self._unacknowledged.add(sent.mid)

    def poll(self, timeout_s: float) -> list[Heard]:
        """Exchange packets, waiting ``timeout_s`` for the first; return what came, and on which channel.

        Raises:
            LinkDown: the connection is gone.
        """
        self._exchange(timeout_s)
        heard, self._heard = self._heard, []
        return heard

    def flush(self, timeout_s: float) -> None:
        """Wait until the broker has acknowledged everything, for ``timeout_s`` at most."""
        deadline = time.monotonic() + timeout_s
        while self._unacknowledged and time.monotonic() < deadline:
            self._exchange(0.05)

    def close(self) -> None:
        """Leave in order, so that the last will is not sent."""
        self._client.disconnect()

    @property
    def _where(self) -> str:
        return f"the broker {self._settings.host}:{self._settings.port}"

    def _make_client(self, will: State) -> Client:
        settings = self._settings
        version = MQTTv5 if settings.protocol == "5" else MQTTv311
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self._site}/{self._device}",
            clean_session=None if version == MQTTv5 else True,
            protocol=version,
        )
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password else None
            client.username_pw_set(settings.username, password)
        client.will_set(str(Address(self._site, self._device, STATE)), will.encode(), STATE.qos, STATE.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        if settings.tls is not None:
            from edge.enroll.secure import secure_context  # noqa: PLC0415 - cryptography is for those who use TLS

            client.on_log = self._on_log
            client.tls_set_context(secure_context(settings.tls))
        return client

    def _exchange(self, timeout_s: float) -> None:
        with self._errors():
            code = self._client.loop(timeout_s)
        if self._answer is not None and self._answer.is_failure:
            raise self._refused(str(self._answer))
        lost = self._answer is not None and not self._client.is_connected()
        if lost or code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._lost(code)

    def _lost(self, code: MQTTErrorCode) -> DeliveryError:
        meant = meaning(self._said)
        if meant:
            return DeliveryError(f"{self._where}: {meant}")
        why = self._parting or code.name
        return LinkDown(f"{self._where} is gone ({why}); results wait on the disk until it is back")

    def _refused(self, reason: str) -> DeliveryError:
        if reason in TRANSIENT:
            return LinkDown(f"{self._where} cannot serve now: {reason}")
        return DeliveryError(
            f"{self._where} refuses {self._site}/{self._device}: {reason}; check mqtt.username, CANOPY_MQTT_PASSWORD, "
            "mqtt.protocol and the broker's ACL"
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The seam where the network's and the library's errors become ours; malformed packets are among them."""
        try:
            yield
        except (OSError, ValueError, IndexError, struct.error, MQTTException) as error:
            meant = meaning(error)
            if meant:
                raise DeliveryError(f"{self._where}: {meant}") from error
            raise LinkDown(f"{self._where} is not reached: {error}; results wait on the disk until it is") from error

    def _on_log(self, _c: Client, _d: Any, _level: int, text: str) -> None:
        """What TLS says after the handshake (1.3 does), the library tells its log alone."""
        if meaning(text):
            self._said = text

    def _on_connect(self, _c: Client, _d: Any, _f: ConnectFlags, reason: ReasonCode, _p: Properties | None) -> None:
        self._answer = reason

    def _on_disconnect(
        self, _c: Client, _d: Any, _f: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self._parting = str(reason)

    def _on_message(self, _c: Client, _d: Any, message: MQTTMessage) -> None:
        channel = next((channel for channel in HEARD if message.topic.endswith(f"/{channel.name}")), None)
        if channel is not None:
            self._heard.append((channel, bytes(message.payload)))

    def _on_publish(self, _c: Client, _d: Any, mid: int, reason: ReasonCode, _p: Properties | None) -> None:
        self._unacknowledged.discard(mid)
        self._acknowledged_at_s = time.monotonic()
        if reason.is_failure:
            self.refusal = f"a message was refused: {reason}"

    def _on_subscribe(self, _c: Client, _d: Any, _m: int, reasons: list[ReasonCode], _p: Properties | None) -> None:
        if any(reason.is_failure for reason in reasons):
            names = [channel.name for channel, reason in zip(HEARD, reasons, strict=False) if reason.is_failure]
            self.refusal = f"the subscription to {' and '.join(names)} was refused; check the broker's ACL"


def _limits() -> Properties:
    """What the broker may send: all that is heard is small, so a large packet is a mistake or an attack."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    return properties
