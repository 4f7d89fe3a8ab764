"""``/live``: MQTT over WebSocket for pages, under the page's own origin and session, and for listening only.

No password of the broker reaches a browser and the broker needs no further port. What a page may send ends here; what
it hears comes out of the one ``Feed``. A page that does not keep up, and every page when the broker is lost, is hung
up on: it comes back, draws itself from the store, and listens again.
"""

import asyncio
import time
from contextlib import suppress
from urllib.parse import urlsplit

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from fleet.access import visitor
from fleet.live import packets
from fleet.live.feed import Feed, Listener

MAX_PAGES = 500
MAX_WAITING = 1_000
MAX_LISTENERS = 8
ENDS_AFTER_S = 900.0
"""Then a page must come again, and its session is looked at again."""

GOING_AWAY, POLICY, TRY_LATER = 1001, 1008, 1013
_BROKER_AWAY = 3
_CONNECTS_WITHIN_S = 10.0


def add_live(app: FastAPI, feed: Feed) -> None:
    """Serve ``/live`` for everybody who may see the pages."""
    open_pages: set[_Page] = set()

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        visitor(socket)
        if not _same_origin(socket) or "mqtt" not in socket.scope.get("subprotocols", ()):
            await socket.close(POLICY)
            return
        await socket.accept("mqtt")
        if len(open_pages) >= MAX_PAGES:
            await socket.close(TRY_LATER, f"{MAX_PAGES} pages are open")
            return
        page = _Page(socket, feed)
        open_pages.add(page)
        try:
            await page.run()
        finally:
            open_pages.discard(page)


def _same_origin(socket: WebSocket) -> bool:
    """A browser names the page that connects; another site's page is none of ours. Programs name none."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")


class _Page:
    """One browser at the other end."""

    def __init__(self, socket: WebSocket, feed: Feed) -> None:
        self._socket, self._feed = socket, feed
        self._loop = asyncio.get_running_loop()
        self._out: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)
        self._listeners: dict[tuple[str, ...], Listener] = {}
        self._connected = False
        self._keepalive_s = 0

    async def run(self) -> None:
        """Until one side hangs up."""
        sender = asyncio.create_task(self._send())
        code = GOING_AWAY
        try:
            await self._receive()
        except packets.Refused:
            code = POLICY
        except (WebSocketDisconnect, asyncio.TimeoutError):
            pass
        finally:
            for listener in self._listeners.values():
                self._feed.leave(listener)
            sender.cancel()
            with suppress(asyncio.CancelledError, RuntimeError, WebSocketDisconnect):
                await sender
            with suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.close(code)

    async def _receive(self) -> None:
        buffer = bytearray()
        ends_at = time.monotonic() + ENDS_AFTER_S
        while (left_s := ends_at - time.monotonic()) > 0:
            patience_s = 1.5 * self._keepalive_s if self._keepalive_s else left_s
            patience_s = patience_s if self._connected else _CONNECTS_WITHIN_S
            message = await asyncio.wait_for(self._socket.receive(), min(left_s, patience_s))
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if not data:
                raise packets.Refused("text; MQTT is binary")
            buffer += data
            for packet in packets.take(buffer):
                if isinstance(packet, packets.Disconnect) or not self._answer(packet):
                    return

    def _answer(self, packet: packets.Packet) -> bool:
        """Do what a packet asks; whether the conversation goes on."""
        if isinstance(packet, packets.Connect) == self._connected:
            raise packets.Refused("CONNECT comes first, and once")
        match packet:
            case packets.Connect():
                self._connected, self._keepalive_s = True, packet.keepalive_s
                self._put(packets.connack(0 if self._feed.connected else _BROKER_AWAY))
                if not self._feed.connected:
                    self._put(None)
            case packets.Subscribe():
                self._subscribe(packet)
            case packets.Unsubscribe():
                listener = self._listeners.pop(packet.filters, None)
                if listener:
                    self._feed.leave(listener)
                self._put(packets.unsuback(packet))
            case _:
                self._put(packets.PINGRESP)
        return True

    def _subscribe(self, packet: packets.Subscribe) -> None:
        if packet.filters not in self._listeners:
            if len(self._listeners) >= MAX_LISTENERS:
                raise packets.Refused(f"more than {MAX_LISTENERS} subscriptions")
            self._listeners[packet.filters] = self._feed.listen(packet.filters, self._hear, self._hang_up)
        self._put(packets.suback(packet))

    def _hear(self, topic: str, payload: bytes) -> None:
        """In the network's thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._put, packets.publish(topic, payload))

    def _hang_up(self) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put, None)

    def _put(self, packet: bytes | None) -> None:
        try:
            self._out.put_nowait(packet)
        except asyncio.QueueFull:  # too slow: better to draw anew than to be shown the past
            while not self._out.empty():
                self._out.get_nowait()
            self._out.put_nowait(None)

    async def _send(self) -> None:
        while (packet := await self._out.get()) is not None:
            await self._socket.send_bytes(packet)
        await self._socket.close(TRY_LATER)
