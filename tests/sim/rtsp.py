"""A network camera: an RTSP server (RFC 2326) that sends JPEG over RTP in TCP (RFC 2435)."""

import contextlib
import socket
import struct
import threading
from types import TracebackType

import cv2
import numpy as np

QUALITY = 60
CHUNK_BYTES = 1300
FRAME_S = 0.02
CLOCK_HZ = 90_000


class RtspCamera:
    """Sends the same picture for ever to everyone who asks. ``stop`` cuts all connections; ``start`` comes back."""

    def __init__(self, width_px: int = 320, height_px: int = 240) -> None:
        gradient = np.add.outer(np.arange(height_px), np.arange(width_px)) % 256
        picture = np.repeat(gradient.astype(np.uint8)[..., None], 3, axis=2)
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        self._scan = _scan_of(jpeg)
        self._size_blocks = width_px // 8, height_px // 8
        self.port = 0
        self.silent = threading.Event()
        self._listener: socket.socket | None = None
        self._clients: list[socket.socket] = []

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
        sdp = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:{base}video\r\n"
        return {
            "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
            "DESCRIBE": (f"Content-Base: {base}\r\nContent-Type: application/sdp\r\n", sdp),
            "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
        }.get(method, ("", ""))

    def _play(self, client: socket.socket, stopped: threading.Event) -> None:
        sequence = number = 0
        while not stopped.wait(FRAME_S):
            if self.silent.is_set():
                continue
            for start in range(0, len(self._scan), CHUNK_BYTES):
                chunk = self._scan[start : start + CHUNK_BYTES]
                last = start + CHUNK_BYTES >= len(self._scan)
                timestamp = int(number * FRAME_S * CLOCK_HZ)
                rtp = struct.pack(">BBHII", 0x80, 26 | (last << 7), sequence & 0xFFFF, timestamp, 1)
                jpeg = struct.pack(">IBBBB", start, 1, QUALITY, *self._size_blocks)
                packet = rtp + jpeg + chunk
                client.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                sequence += 1
            number += 1


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _scan_of(jpeg: bytes) -> bytes:
    """The entropy-coded part: RFC 2435 sends nothing else, as the receiver knows the standard tables."""
    start = jpeg.index(b"\xff\xda")
    length = int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[start + 2 + length : -2]
