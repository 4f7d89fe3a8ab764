"""Wires the fleet service: broker, store, ingest, web; starts them in order and stops them in the other."""

import gc
import json
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from fleet.alerts.watch import Watch
from fleet.asks import Asks
from fleet.broker import EmbeddedBroker
from fleet.ca.api import Authority
from fleet.ca.enrolment import Terms
from fleet.ca.folder import CaFolder
from fleet.ca.upkeep import Upkeep
from fleet.errors import ConfigError, PortTaken
from fleet.frames.desk import FrameDesk
from fleet.homeassistant import HomeAssistant
from fleet.ingest.ingest import MAX_PACKET_BYTES, Ingest, Part
from fleet.live import packets
from fleet.live.feed import Feed
from fleet.login import users
from fleet.repository.folder import RepositoryFolder
from fleet.rollouts.conductor import Rollouts
from fleet.settings import FleetSettings, HttpSettings, MqttSettings, is_loopback
from fleet.store import Store
from fleet.updates import OnlineSignatures
from fleet.upkeep.upkeep import Upkeep as StoreUpkeep
from fleet.web import create_app

log = logging.getLogger(__name__)

_SUBSCRIBES_WITHIN_S = 5.0
_STOPS_WITHIN_S = 1.0
_SIGN_OF_LIFE_S = 2.0

GROUP = "ingest"
"""The name of the shared subscription."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running service is reached."""

    http_host: str
    http_port: int
    mqtt_host: str
    mqtt_port: int
    secure: bool = False

    @property
    def page(self) -> str:
        """The growers' page."""
        host = f"[{self.http_host}]" if ":" in self.http_host else self.http_host
        return f"http{'s' if self.secure else ''}://{host}:{self.http_port}/"

    @property
    def broker(self) -> str:
        """Where devices publish."""
        return f"mqtt://{self.mqtt_host}:{self.mqtt_port}"


def serve(settings: FleetSettings, ready: Callable[[Addresses], None]) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is called once everything answers.

    Raises:
        FleetError: something cannot be started.
    """
    stopping = _on_signal()
    _collect_seldom()
    with ExitStack() as parts:
        http_socket = parts.enter_context(listen(settings.http))
        mqtt_port = parts.enter_context(_broker(settings.mqtt))
        store = Store(settings.database_url, upgrade=True)
        parts.callback(store.close)
        require_users(store, settings.http)
        store.forget_presence()
        authority = parts.enter_context(_authority(settings, store))
        upkeep = StoreUpkeep(store, settings.store)
        parts.callback(upkeep.stop, _STOPS_WITHIN_S)
        upkeep.start()
        ingest = Ingest(store, settings.mqtt, mqtt_port, _part(settings))
        parts.callback(ingest.stop, _STOPS_WITHIN_S)
        ingest.start()
        if not ingest.wait_subscribed(_SUBSCRIBES_WITHIN_S):
            log.warning("no broker answers at %s:%s yet; trying again", settings.mqtt.host, mqtt_port)
        rollouts = Rollouts(store, ingest, settings.rollouts)
        parts.callback(rollouts.stop, _STOPS_WITHIN_S)
        rollouts.start()
        watch = Watch(store, settings.alerts, lambda: ingest.connected and ingest.writing)
        parts.callback(watch.stop, _STOPS_WITHIN_S)
        watch.start()
        if settings.home_assistant is not None:
            bridge = HomeAssistant(store, settings.home_assistant, ingest.retain, lambda: ingest.session)
            parts.callback(bridge.stop, _STOPS_WITHIN_S)
            bridge.start()
        repository = settings.updates.repository
        if repository is not None:
            parts.enter_context(_online_signatures(repository))
        feed = Feed(settings.mqtt, mqtt_port)
        parts.callback(feed.stop)
        feed.start()
        asks = Asks(store, feed, settings.pictures)
        parts.callback(asks.stop, _STOPS_WITHIN_S)
        asks.start()
        frames = FrameDesk(store, settings.frames_folder, settings.frames)
        app = create_app(store, ingest, feed, asks, repository=repository, authority=authority, frames=frames)
        parts.enter_context(serve_web(app, http_socket, settings.http))
        http_port = http_socket.getsockname()[1]
        where = (settings.http.host, http_port, settings.mqtt.host, mqtt_port)
        ready(Addresses(*where, secure=settings.http.tls is not None))
        stopping.wait()


def file_records(settings: FleetSettings, ready_file: Path | None) -> None:
    """Be one of several processes that file records, until SIGTERM or SIGINT.

    ``ready_file`` is touched every few seconds while the broker and the store can be used: what a probe looks at.

    Raises:
        FleetError: it cannot be started.
    """
    if not settings.ingest.shared:
        raise ConfigError("ingest.shared is false: canopy-fleet serve files all records by itself; set it to true")
    stopping = _on_signal()
    _collect_seldom()
    member = f"{settings.mqtt.client_id}-{socket.gethostname()}-{os.getpid()}"[-64:]
    with ExitStack() as parts:
        store = Store(settings.database_url, upgrade=True)
        parts.callback(store.close)
        mqtt = settings.mqtt.model_copy(update={"client_id": member})
        ingest = Ingest(store, mqtt, mqtt.port, Part(status=False, group=GROUP))
        parts.callback(ingest.stop, _STOPS_WITHIN_S)
        ingest.start()
        if not ingest.wait_subscribed(_SUBSCRIBES_WITHIN_S):
            log.warning("no broker answers at %s:%s yet; trying again", mqtt.host, mqtt.port)
        while True:
            if ready_file is not None and ingest.connected and ingest.writing:
                ready_file.touch()
            if stopping.wait(_SIGN_OF_LIFE_S):
                return


def _collect_seldom() -> None:
    """Look for cycles less often.

    A batch is a hundred thousand small objects without any: looking again and again takes as long as reading the
    messages does (measured: 91 µs for an observation, 50 with this).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def _part(settings: FleetSettings) -> Part:
    return Part(records=settings.ingest.in_service, group=GROUP if settings.ingest.shared else None)


def write_ready_file(path: Path, addresses: Addresses) -> None:
    """Tell another program, in one piece, that the service answers, and where."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    known = {"http_port": addresses.http_port, "mqtt_port": addresses.mqtt_port, "pid": os.getpid()}
    draft.write_text(json.dumps(known))
    draft.replace(path)


def _on_signal() -> threading.Event:
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping


@contextmanager
def listen(http: HttpSettings) -> Iterator[socket.socket]:
    """Take the port first: a service that cannot be seen must not begin."""
    try:
        listening = socket.create_server((http.host, http.port), family=_family(http.host))
    except (OSError, OverflowError) as error:
        raise PortTaken(
            f"cannot listen on {http.host}:{http.port} for the page: {error}; "
            "end the other program, or set http.port (--port) to another port"
        ) from error
    with listening:
        # asyncio does this for sockets that it made itself; without it, answers wait 40 ms for an acknowledgement
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening


def require_users(store: Store, http: HttpSettings) -> None:
    """Before anybody can log in, the pages are for this machine alone.

    Raises:
        ConfigError: other machines would reach them.
    """
    with store.reading() as connection:
        if is_loopback(http.host) or users.exist(connection):
            return
    raise ConfigError(f"{http.host} is reached from other machines, and nobody can log in yet; first: {users.FIRST}")


def tls_context(http: HttpSettings) -> ssl.SSLContext | None:
    """The server's TLS; none without ``http.tls``.

    Raises:
        ConfigError: the certificate or its key cannot be used.
    """
    if http.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(http.tls.certificate, http.tls.key)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"http.tls: {http.tls.certificate} and {http.tls.key} cannot be used: {error}; name a certificate with its "
            "chain and the key that belongs to it, readable by this user (canopy-fleet ca server makes both)"
        ) from error
    return context


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def _broker(mqtt: MqttSettings) -> Iterator[int]:
    """The port of the broker, which runs inside if so wished."""
    if not mqtt.embedded:
        yield mqtt.port
        return
    broker = EmbeddedBroker(mqtt.host, mqtt.port, MAX_PACKET_BYTES)
    broker.start()
    try:
        yield broker.port
    finally:
        broker.stop(_STOPS_WITHIN_S)


@contextmanager
def _authority(settings: FleetSettings, store: Store) -> Iterator[Authority | None]:
    """What signs devices, kept from running out; nothing where none was made."""
    folder = CaFolder(settings.ca_folder)
    if not folder.is_made:
        yield None
        return
    watched = [settings.http.tls.certificate] if settings.http.tls else []
    upkeep = Upkeep(store, folder, watched)
    upkeep.look(datetime.now(timezone.utc))
    upkeep.start()
    try:
        yield folder, Terms(timedelta(days=settings.ca.certificate_days), timedelta(days=settings.ca.grace_days))
    finally:
        upkeep.stop(_STOPS_WITHIN_S)


@contextmanager
def _online_signatures(repository: Path) -> Iterator[None]:
    """Keep what devices need to trust the repository from running out."""
    public = RepositoryFolder(repository).public
    if not public.is_dir():
        raise ConfigError(
            f"updates.repository: {public} is not there; make one with canopy-fleet repo init, or take the setting away"
        )
    signatures = OnlineSignatures(repository)
    signatures.start()
    try:
        yield
    finally:
        signatures.stop(_STOPS_WITHIN_S)


@contextmanager
def serve_web(app: FastAPI, listening: socket.socket, http: HttpSettings | None = None) -> Iterator[None]:
    """Serve HTTP in a thread: the main thread keeps the signals, so that the order of stopping is ours."""
    http = http or HttpSettings()
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", limit_concurrency=1_000,
        timeout_graceful_shutdown=1, server_header=False,
        proxy_headers=bool(http.proxies), forwarded_allow_ips=list(http.proxies),
        ws="websockets-sansio", ws_max_size=2 * packets.MAX_PACKET_BYTES, ws_per_message_deflate=False,
    )  # fmt: skip
    config.load()
    config.ssl = tls_context(http)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOPS_WITHIN_S)
