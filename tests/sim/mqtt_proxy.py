"""A network between MQTT peers that misbehaves by a seeded plan: it loses, repeats and delays PUBLISH, and cuts.

It knows of MQTT only where packets begin and end (MQTT 5.0, 2.1.4: type and flags in one byte, then a length of one to
four bytes), so every byte that it does pass on is what a peer wrote.
"""

import random
import select
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

PUBLISH = 3
CHUNK_BYTES = 65_536
TICK_S = 0.05


@dataclass
class Misdeeds:
    """What is done to PUBLISH packets.

    Attributes:
        lose: share that is lost, until ``lose_most`` are: MQTT has no way to tell a peer of it, so its window fills up.
        repeat: share that is sent twice.
        hold: share that is held back until the next one has passed.
        cut_after: after so many packets the connection is cut in the middle of one; 0 is never.
    """

    lose: float = 0.0
    lose_most: int = 1_000_000
    repeat: float = 0.0
    hold: float = 0.0
    cut_after: int = 0


class MqttProxy:
    """Listens on ``port`` of the loopback and passes everything on to ``target_port``; ``misdeeds`` may be changed."""

    def __init__(self, target_port: int, misdeeds: Misdeeds, seed: int = 1) -> None:
        self.misdeeds = misdeeds
        self.lost = self.repeated = self.held = self.cuts = 0
        self._target_port = target_port
        self._random = random.Random(seed)
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TICK_S)
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
            except OSError:
                return
            with server:
                self._pump(_Way(client, server), _Way(server, client))

    def _pump(self, *ways: "_Way") -> None:
        by_source = {way.source: way for way in ways}
        while not self._closing.is_set():
            for source in select.select(list(by_source), [], [], TICK_S)[0]:
                way = by_source[source]
                try:
                    received = source.recv(CHUNK_BYTES)
                    if not received or not all(self._pass_on(way, packet) for packet in way.packets(received)):
                        return
                except OSError:
                    return

    def _pass_on(self, way: "_Way", packet: bytes) -> bool:
        """Whether the connection is to go on."""
        if packet[0] >> 4 != PUBLISH:
            way.sink.sendall(packet)
            return True
        way.publishes += 1
        if self.misdeeds.cut_after and way.publishes % self.misdeeds.cut_after == 0:
            self.cuts += 1
            way.sink.sendall(packet[: len(packet) // 2])
            return False
        chance = self._random.random()
        if chance < self.misdeeds.lose and self.lost < self.misdeeds.lose_most:
            self.lost += 1
        elif chance < self.misdeeds.lose + self.misdeeds.hold and not way.kept:
            self.held += 1
            way.kept = packet
        else:
            copies = 1 + (self._random.random() < self.misdeeds.repeat)
            self.repeated += copies - 1
            way.sink.sendall(packet * copies + way.kept)
            way.kept = b""
        return True


class _Way:
    """One direction of a connection, cut into packets."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.publishes = 0
        self.kept = b""
        self._rest = b""

    def packets(self, received: bytes) -> list[bytes]:
        """The whole packets so far; what is incomplete waits."""
        self._rest += received
        whole = []
        while (length := _length(self._rest)) is not None and len(self._rest) >= length:
            whole.append(self._rest[:length])
            self._rest = self._rest[length:]
        return whole


def _length(data: bytes) -> int | None:
    """Bytes of the packet that ``data`` begins with; None while that cannot be known."""
    value, shift = 0, 0
    for index, byte in enumerate(data[1:5], start=1):
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return index + 1 + value
    return None
