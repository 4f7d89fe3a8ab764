"""MQTT → store → watermark: nothing is acknowledged, to the broker or to a device, before it is committed.

The network thread only fills the inlet. One writer thread gathers messages, writes them in one transaction, then sends
the broker's PUBACKs, then the devices' watermarks. A crash at any point repeats messages and loses none.

Several processes may share the records (``Part``). The broker gives each message to one of them, and gives it to
another if that one goes away; which of them files it makes no difference, for the store's streams are locked. Their
watermarks may overtake each other on the way to the broker, so each process looks again at what it told.
"""

import logging
import ssl
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.contract import messages, tls, topics
from fleet.broker_tls import broker_context, show_newest
from fleet.errors import StoreError
from fleet.ingest.inlet import Envelope, Inlet
from fleet.ingest.intake import Letter, Reject, read
from fleet.ingest.ledger import Watermark
from fleet.settings import MqttSettings
from fleet.store import Store

log = logging.getLogger(__name__)

RECORDS = (topics.OBS, topics.DRIFT, topics.EVENT)
"""What processes may share. A shared subscription is not given what is retained, so the rest is one process's."""

SUBSCRIBED = (*RECORDS, topics.STATE, topics.INFO, topics.HEALTH, topics.REPORTED)

MAX_PACKET_BYTES = 2 * 2**20
"""Larger packets stay with the broker: twice what the largest channel allows, so that a little too much is seen."""

_UNDER_WAY = 400  # messages that an MQTT 5 broker may send before the first PUBACK
_INLET_MESSAGES = 5_000
_INLET_BYTES = 50 * MAX_PACKET_BYTES
_BATCH_MESSAGES = 200
_LINGER_S = 0.005
_IDLE_S = 0.5
_SESSION_EXPIRY_S = 3_600
_BACKOFF_MIN_S, _BACKOFF_MAX_S = 0.1, 5.0
_LOOKS_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """What an ingest takes of what devices send: their records, what they are like now (``status``), or both.

    ``group``: the processes that share the records; ``None``, there is one.
    """

    records: bool = True
    status: bool = True
    group: str | None = None

    def filters(self) -> dict[str, int]:
        """The subscriptions, with their quality of service."""
        return {self._filter(channel): channel.qos for channel in SUBSCRIBED if self._takes(channel)}

    def other_filters(self) -> list[str]:
        """What an earlier session under the same name may have subscribed to, and this one does not."""
        return [
            topics.subscription(channel)
            for channel in SUBSCRIBED
            if not self._takes(channel) or (self.group is not None and channel in RECORDS)
        ]

    def _takes(self, channel: topics.Channel) -> bool:
        return self.records if channel in RECORDS else self.status

    def _filter(self, channel: topics.Channel) -> str:
        plain = topics.subscription(channel)
        return f"$share/{self.group}/{plain}" if self.group is not None and channel in RECORDS else plain


@dataclass(slots=True)
class IngestCounts:
    """Messages since the start: ``committed`` and ``rejected`` are on disk, ``shed`` were refused for want of room."""

    committed: int = 0
    rejected: int = 0
    shed: int = 0
    store_errors: int = 0


class Ingest:
    """Receives what every device sends, files it, and tells each device what it may forget."""

    def __init__(self, store: Store, settings: MqttSettings, port: int, part: Part | None = None) -> None:
        self.counts = IngestCounts()
        self._part = part or Part()
        self._told: dict[tuple[str, str, str], int] = {}  # watermarks that another process may have overtaken
        self._looks_again_at = 0.0
        self._store = store
        self._settings, self._port = settings, port
        self._inlet = Inlet(_INLET_MESSAGES, _INLET_BYTES)
        self._stopping = threading.Event()
        self._greet = threading.Event()  # a new connection: retained watermarks may be lost
        self._subscribed = threading.Event()
        self._session = 0
        self._store_failed = False
        self._context = broker_context(settings)
        self._trouble = ""
        self._client = _client(settings, self._context)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_log = self._on_log
        self._writer = threading.Thread(target=self._write_until_stopped, name="ingest-writer", daemon=True)

    def start(self) -> None:
        """Begin; a broker that is not there yet is tried again for ever."""
        self._writer.start()
        host, keepalive_s = self._settings.host, self._settings.keepalive_s
        if self._settings.protocol == "5":
            keeps = self._part.status  # what comes for a member that is away shall go to the others
            session = _session_properties(_SESSION_EXPIRY_S if keeps else 0)
            self._client.connect_async(host, self._port, keepalive_s, clean_start=not keeps, properties=session)
        else:
            self._client.connect_async(host, self._port, keepalive_s)
        self._client.loop_start()

    def wait_subscribed(self, timeout_s: float) -> bool:
        """Whether the broker took the subscriptions in time."""
        return self._subscribed.wait(timeout_s)

    @property
    def connected(self) -> bool:
        """Whether messages can arrive."""
        return self._subscribed.is_set()

    @property
    def session(self) -> int:
        """Counts connections: a new one may be to a broker that retains nothing."""
        return self._session

    def publish(self, address: topics.Address, payload: bytes) -> None:
        """Tell a device. Without a connection nothing is queued: whoever tells does so again in the next session."""
        if self._client.is_connected():
            self._client.publish(str(address), payload, address.channel.qos, address.channel.retain)

    def retain(self, topic: str, payload: bytes) -> bool:
        """Leave a message for others on the broker; False if it cannot be reached now."""
        return self._client.is_connected() and self._client.publish(topic, payload, 1, retain=True).rc == 0

    @property
    def writing(self) -> bool:
        """Whether the store took the last batch."""
        return not self._store_failed

    def tally(self) -> dict[str, int]:
        """Messages since the start, by what became of them."""
        return asdict(self.counts)

    def stop(self, timeout_s: float = 1.0) -> None:
        """Finish the transaction under way, leave what waits to the broker and the devices, and disconnect."""
        self._stopping.set()
        self._inlet.close()
        self._writer.join(timeout_s)
        self._client.disconnect()
        closer = threading.Thread(target=self._client.loop_stop, name="ingest-close", daemon=True)
        closer.start()
        closer.join(timeout_s)

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.error(
                "the broker at %s:%s refuses the fleet: %s; check CANOPY_MQTT_USERNAME and CANOPY_MQTT_PASSWORD",
                self._settings.host, self._port, reason,
            )  # fmt: skip
            return
        self._session += 1
        self._trouble = ""
        if others := self._part.other_filters():
            client.unsubscribe(others)
        client.subscribe(list(self._part.filters().items()))
        if self._part.status:
            self._greet.set()

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            log.error("the broker refuses %s of the fleet's subscriptions: %s; check its ACL", len(refused), refused[0])
        else:
            self._subscribed.set()

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._subscribed.clear()
        if not self._stopping.is_set():
            log.warning("the connection to the broker ended (%s); trying again", reason)
        show_newest(self._context, self._settings)

    def _on_connect_fail(self, _client: mqtt.Client, _data: Any) -> None:
        self._tell_trouble(sys.exc_info()[1])  # the library calls this while it handles the error, and does not pass it
        show_newest(self._context, self._settings)

    def _on_log(self, _client: mqtt.Client, _data: Any, _level: int, text: str) -> None:
        """What TLS says after the handshake, as 1.3 does, the library tells its log alone."""
        self._tell_trouble(text)

    def _tell_trouble(self, said: object) -> None:
        """What is wrong with TLS, once until a connection stands."""
        meant = tls.meaning(said)
        if meant and meant != self._trouble:
            log.error("the broker at %s:%s: %s", self._settings.host, self._port, meant)
            self._trouble = meant

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        """Never raises: an exception here would end the network thread."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "not UTF-8"
        envelope = Envelope(topic, bytes(message.payload), message.retain, message.mid, message.qos, self._session)
        if not self._inlet.offer(envelope):
            self.counts.shed += 1

    def _write_until_stopped(self) -> None:
        while not self._stopping.is_set():
            envelopes = self._inlet.gather(_BATCH_MESSAGES, _LINGER_S, _IDLE_S)
            if self._greet.is_set():
                self._greet.clear()
                self._tell_all()
            if envelopes:
                self._file(envelopes)
            if self._told and time.monotonic() > self._looks_again_at:
                self._look_again()

    def _tell_all(self) -> None:
        """Publish the stored watermarks again: the broker may have lost what it retained."""
        try:
            self._tell(self._store.watermarks())
        except StoreError as error:
            log.error("cannot read the watermarks: %s", error)  # noqa: TRY400 - the message says it all

    def _look_again(self) -> None:
        """Tell the watermarks that have risen since: ours may have reached the broker after a later one."""
        told, self._told = self._told, {}
        self._looks_again_at = time.monotonic() + _LOOKS_AGAIN_S
        try:
            marks = self._store.watermarks({(site, device) for site, device, _ in told})
        except StoreError as error:
            log.error("cannot read the watermarks: %s", error)  # noqa: TRY400
            return
        self._tell([mark for mark in marks if mark.seq > told.get((mark.site, mark.device, mark.epoch), mark.seq)])

    def _file(self, envelopes: list[Envelope]) -> None:
        letters: list[Letter] = []
        rejects: list[Reject] = []
        for envelope in envelopes:
            found = read(envelope.topic, envelope.payload, retained=envelope.retained)
            (letters if isinstance(found, Letter) else rejects).append(found)  # type: ignore[arg-type]
        watermarks = self._commit(letters, rejects)
        if watermarks is None:
            return
        self.counts.committed += len(letters)
        self.counts.rejected += len(rejects)
        for envelope in envelopes:
            if envelope.qos and envelope.session == self._session:
                self._client.ack(envelope.mid, envelope.qos)
        self._tell(watermarks)

    def _commit(self, letters: list[Letter], rejects: list[Reject]) -> list[Watermark] | None:
        """Try until it is on disk; None if the service stops first."""
        backoff_s = _BACKOFF_MIN_S
        while not self._stopping.is_set():
            watermarks = self._try_commit(letters, rejects)
            if watermarks is not None:
                return watermarks
            self._stopping.wait(backoff_s)
            backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)
        return None

    def _try_commit(self, letters: list[Letter], rejects: list[Reject]) -> list[Watermark] | None:
        try:
            watermarks = self._store.commit(letters, rejects)
        except StoreError as error:
            self.counts.store_errors += 1
            if not self._store_failed:
                log.error("cannot write; nothing is acknowledged, trying again: %s", error)  # noqa: TRY400
            self._store_failed = True
            return None
        if self._store_failed:
            log.warning("the store takes records again")
            self._store_failed = False
        return watermarks

    def _tell(self, watermarks: list[Watermark]) -> None:
        """The next connection begins with every watermark, so one that is not sent is no loss."""
        for mark in watermarks:
            payload = messages.Ack(epoch=mark.epoch, seq=mark.seq).encode()
            self.publish(topics.Address(mark.site, mark.device, topics.ACK), payload)
            if self._part.group is not None:
                self._told[mark.site, mark.device, mark.epoch] = mark.seq


def _client(settings: MqttSettings, context: ssl.SSLContext | None) -> mqtt.Client:
    protocol, clean = (mqtt.MQTTv5, None) if settings.protocol == "5" else (mqtt.MQTTv311, True)
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, settings.client_id, clean_session=clean, protocol=protocol, manual_ack=True
    )
    client.max_queued_messages_set(_INLET_MESSAGES)
    client.reconnect_delay_set(1, 30)
    if context is not None:
        client.tls_set_context(context)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password.get_secret_value() if settings.password else None)
    return client


def _session_properties(expiry_s: int) -> Properties:
    """MQTT 5: how long the broker keeps what comes while the service is away; it never sends more than fits."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = expiry_s
    properties.ReceiveMaximum = _UNDER_WAY
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    return properties
