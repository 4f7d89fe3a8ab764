"""The embedded broker: MQTT 3.1.1 inside the service, for one machine and for trying things out.

It keeps nothing on disk and may lose what is under way; the watermark covers both. It asks nobody for a password, so it
binds to loopback only (the settings see to that).
"""

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError

from fleet.errors import BrokerError

MAX_CONNECTIONS = 1_000
_STARTS_WITHIN_S, _ENDS_WITHIN_S = 10.0, 0.5


class EmbeddedBroker:
    """A broker in a thread of its own. ``port`` is the one it listens on, also if a free one was asked for."""

    def __init__(self, host: str, port: int, max_packet_bytes: int) -> None:
        self.host, self.port = host, port
        self._max_packet_bytes = max_packet_bytes
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-broker", daemon=True)

    def start(self) -> None:
        """Listen.

        Raises:
            BrokerError: the port cannot be had.
        """
        self._thread.start()
        if not self._started.wait(_STARTS_WITHIN_S) or self._error is not None:
            raise BrokerError(
                f"the embedded broker cannot listen on {self.host}:{self.port}: {self._error or 'no answer'}; "
                "end the other program, or set mqtt.port to another port"
            ) from self._error

    def stop(self, timeout_s: float = 1.0) -> None:
        """Close every connection and the port."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout_s)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # noqa: BLE001 - handed to start()
            self._error = error
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        _silence()
        broker = _BoundedBroker(_config(self.host, self.port), self._max_packet_bytes)
        await broker.start()
        self.port = broker.bound_port
        self._started.set()
        await self._stop.wait()
        try:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(broker.shutdown(), _ENDS_WITHIN_S)
        finally:
            await _end_tasks()
            await broker.abort()


async def _end_tasks() -> None:
    """The library leaves tasks of broken connections behind."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


class _BoundedReader(StreamReaderAdapter):  # type: ignore[misc]
    """Ends a connection that announces too large a packet, before its bytes are read."""

    def __init__(self, reader: asyncio.StreamReader, max_packet_bytes: int) -> None:
        super().__init__(reader)
        self._max_packet_bytes = max_packet_bytes

    async def read(self, n: int = -1) -> bytes:
        if n > self._max_packet_bytes:
            raise ConnectionAbortedError(f"a packet of {n} bytes; {self._max_packet_bytes} are allowed")
        return bytes(await super().read(n))


class _BoundedBroker(Broker):  # type: ignore[misc]
    """The library's broker with bounded packets; it has no setting for that."""

    def __init__(self, config: BrokerConfig, max_packet_bytes: int) -> None:
        super().__init__(config)
        self._max_packet_bytes = max_packet_bytes
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def bound_port(self) -> int:
        return int(self._servers["default"].instance.sockets[0].getsockname()[1])

    async def abort(self) -> None:
        """Close what still stands open: the library's own way out can wait for ever for a client."""
        for server in self._servers.values():
            server.instance.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # the transports close their sockets in the next turn of the loop

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """The library forgets to close a connection that never became a session."""
        self._writers.add(writer)
        bounded = _BoundedReader(reader, self._max_packet_bytes)
        # asyncio would report the cancellation at the end of the service as an error of this task
        with suppress(asyncio.CancelledError, OSError):
            try:
                await self._client_connected(listener_name, bounded, StreamWriterAdapter(writer))
            finally:
                writer.close()
                await writer.wait_closed()
                self._writers.discard(writer)

    async def _initialize_client_session(self, *connection: Any) -> Any:
        """Too large a first packet is one of the library's own errors: it gives the connection's place free."""
        try:
            return await super()._initialize_client_session(*connection)
        except ConnectionAbortedError as error:
            raise AMQTTError(str(error)) from error


def _config(host: str, port: int) -> BrokerConfig:
    """Without the library's ``$SYS`` and packet-logging plugins."""
    return BrokerConfig(
        listeners={"default": ListenerConfig(bind=f"{host}:{port}", max_connections=MAX_CONNECTIONS)},
        plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    )


def _silence() -> None:
    """The library logs every packet and every client that leaves, at levels up to error."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
