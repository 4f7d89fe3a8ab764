"""A network camera: an RTSP server (RFC 2326) that sends RTP in TCP."""

import contextlib
import socket
import struct
import threading
from types import TracebackType

from tests.sim.encoded import Stream, jpeg_stream

CLOCK_HZ = 90_000


class RtspCamera:
    """Sends ``stream`` for ever to everyone who asks. ``stop`` cuts all connections; ``start`` comes back.

    Whoever connects gets it from its first picture on. ``stream`` may be exchanged while it is sent: the next picture
    is of the new one. ``silent`` sends nothing, ``stuck`` repeats the last picture with its time stamp.
    """

    def __init__(self, width_px: int = 320, height_px: int = 240, stream: Stream | None = None) -> None:
        self.stream = stream or jpeg_stream(width_px, height_px)
        self.port = 0
        self.silent = threading.Event()
        self.stuck = threading.Event()
        self._listener: socket.socket | None = None
        self._clients: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/stream1"

    def start(self) -> None:
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener, self._stopped), daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        for connection in (self._listener, *self._clients):
            if connection is not None:
                _cut(connection)
        self._listener = None
        self._clients.clear()

    def __enter__(self) -> "RtspCamera":  # noqa: PYI034 - typing has no Self on Python 3.10
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self, listener: socket.socket, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client, stopped), daemon=True).start()

    def _serve(self, client: socket.socket, stopped: threading.Event) -> None:
        try:
            with client, client.makefile("rb") as requests:
                while self._answer(client, requests) != "PLAY":
                    pass
                self._play(client, stopped)
        except (OSError, ValueError):
            return

    def _answer(self, client: socket.socket, requests) -> str:
        method = requests.readline(8192).decode().partition(" ")[0]
        if not method:
            raise ValueError("the client left")
        headers = {}
        while line := requests.readline(8192).decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        extra, body = self._reply(method, client)
        reply = f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq', '0')}\r\nSession: 1\r\n{extra}"
        client.sendall(f"{reply}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        return method

    def _reply(self, method: str, client: socket.socket) -> tuple[str, str]:
        base = f"rtsp://127.0.0.1:{client.getsockname()[1]}/"
        sdp = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{self.stream.sdp}a=control:{base}video\r\n"
        return {
            "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
            "DESCRIBE": (f"Content-Base: {base}\r\nContent-Type: application/sdp\r\n", sdp),
            "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
        }.get(method, ("", ""))

    def _play(self, client: socket.socket, stopped: threading.Event) -> None:
        sequence = number = ticks = 0
        while not stopped.wait(self.stream.frame_s):
            if self.silent.is_set():
                continue
            stream = self.stream
            for payload in stream.pictures[number % len(stream.pictures)]:
                kind = stream.payload_type | payload.last << 7
                packet = struct.pack(">BBHII", 0x80, kind, sequence & 0xFFFF, ticks, 1) + payload.content
                client.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                sequence += 1
            if not self.stuck.is_set():
                number += 1
                ticks += int(stream.frame_s * CLOCK_HZ)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
