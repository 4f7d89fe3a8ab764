"""One MQTT client for everything that the web side hears and asks; its messages are handed to whoever listens.

The broker is subscribed to what somebody listens to, and to nothing else. Retained messages are not kept for those that
come later: a page draws itself from the store first and hears what changes after that.
"""

import logging
import secrets
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.contract import topics
from fleet.broker_tls import broker_context, show_newest
from fleet.settings import MqttSettings

log = logging.getLogger(__name__)

Hear = Callable[[str, bytes], None]
"""Takes a topic and a payload, in the network's thread: it must return at once."""


@dataclass(frozen=True, eq=False, slots=True)
class Listener:
    """Somebody who hears ``filters``, and is told when the connection ended."""

    filters: tuple[str, ...]
    hear: Hear
    lost: Callable[[], None]


class Feed:
    """The web side's connection to the broker; ``connected`` says whether it stands."""

    def __init__(self, settings: MqttSettings, port: int) -> None:
        self._settings, self._port = settings, port
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._wanted: Counter[str] = Counter()
        self._stopping = False
        self._connected = threading.Event()
        self._context = broker_context(settings)
        self._client = _client(settings, self._context)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Begin; a broker that is not there yet is tried again for ever."""
        self._client.connect_async(self._settings.host, self._port, self._settings.keepalive_s)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave the broker."""
        self._stopping = True
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        """Whether messages can arrive."""
        return self._connected.is_set()

    def wait_connected(self, timeout_s: float) -> bool:
        """Whether the broker answered in time."""
        return self._connected.wait(timeout_s)

    def listen(self, filters: Iterable[str], hear: Hear, lost: Callable[[], None] = lambda: None) -> Listener:
        """Hand every message of ``filters`` to ``hear`` from now on."""
        listener = Listener(tuple(filters), hear, lost)
        with self._lock:
            new = [each for each in listener.filters if not self._wanted[each]]
            self._wanted.update(listener.filters)
            self._listeners.add(listener)
            if new and self.connected:
                self._client.subscribe([(each, 1) for each in new])
        return listener

    def leave(self, listener: Listener) -> None:
        """Hand it nothing more."""
        with self._lock:
            if listener not in self._listeners:
                return
            self._listeners.discard(listener)
            self._wanted.subtract(listener.filters)
            gone = [each for each in listener.filters if self._wanted[each] <= 0]
            self._wanted += Counter()  # without those that nobody wants
            if gone and self.connected:
                self._client.unsubscribe(gone)

    def publish(self, address: topics.Address, payload: bytes) -> bool:
        """Send to a device; whether there is a connection to send on. Nothing is queued for a later one."""
        if not self.connected:
            return False
        self._client.publish(str(address), payload, address.channel.qos, address.channel.retain)
        return True

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.error("the broker refuses the pages' connection: %s; check the service's name and password", reason)
            return
        with self._lock:  # who comes after this subscribes for themselves
            if self._wanted:
                client.subscribe([(each, 1) for each in self._wanted])
            self._connected.set()

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._connected.clear()
        show_newest(self._context, self._settings)
        if not self._stopping:
            log.warning("the pages' connection to the broker ended (%s); trying again", reason)
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.lost()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        """Never raises: an exception here would end the network thread."""
        if message.retain:
            return
        try:
            topic, payload = message.topic, bytes(message.payload)
        except UnicodeDecodeError:
            return
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            if any(mqtt.topic_matches_sub(each, topic) for each in listener.filters):
                try:
                    listener.hear(topic, payload)
                except Exception:
                    log.exception("a listener failed on %s", topic)


def _client(settings: MqttSettings, context: ssl.SSLContext | None) -> mqtt.Client:
    name = f"{settings.client_id}-live-{secrets.token_hex(4)}"
    protocol = mqtt.MQTTv5 if settings.protocol == "5" else mqtt.MQTTv311
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=protocol)
    client.reconnect_delay_set(1, 10)
    if context is not None:
        client.tls_set_context(context)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password.get_secret_value() if settings.password else None)
    return client
