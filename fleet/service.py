"""Wires the fleet service: broker, store, ingest, web; starts them in order and stops them in the other."""

import gc
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from fleet.broker import EmbeddedBroker
from fleet.errors import ConfigError, PortTaken
from fleet.ingest import MAX_PACKET_BYTES, Ingest, Part
from fleet.repository.folder import RepositoryFolder
from fleet.rollouts import Rollouts
from fleet.settings import FleetSettings, HttpSettings, MqttSettings
from fleet.store import Store
from fleet.updates import OnlineSignatures
from fleet.upkeep import Upkeep
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

    @property
    def page(self) -> str:
        """The growers' page."""
        host = f"[{self.http_host}]" if ":" in self.http_host else self.http_host
        return f"http://{host}:{self.http_port}/"

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
        store.forget_presence()
        upkeep = Upkeep(store, settings.store)
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
        repository = settings.updates.repository
        if repository is not None:
            parts.enter_context(_online_signatures(repository))
        app = create_app(store, ingest, repository=repository, commands=settings.http.commands)
        parts.enter_context(serve_web(app, http_socket))
        http_port = http_socket.getsockname()[1]
        ready(Addresses(settings.http.host, http_port, settings.mqtt.host, mqtt_port))
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
        yield listening


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
def serve_web(app: FastAPI, listening: socket.socket) -> Iterator[None]:
    """Serve HTTP in a thread: the main thread keeps the signals, so that the order of stopping is ours."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", limit_concurrency=1_000,
        timeout_graceful_shutdown=1, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOPS_WITHIN_S)
