"""A page for the phone: the live picture as MJPEG with the readings beside it, for the local network and a short time.

Whoever has the address has the picture, so the address holds a secret; it is told on the terminal alone, nothing is
kept, and the server ends with the session. Few may look at once, and one that does not read is let go.
"""

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edge.aim import Aim, advice
from edge.errors import ConfigError

MAX_VIEWERS = 4
WRITE_WITHIN_S = 5.0
NEXT_WITHIN_S = 1.0
BOUNDARY = b"picture"

HTML = """<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width">
<title>canopy aim</title><style>body{margin:0;font:18px sans-serif;background:#111;color:#eee}
img{width:100%;display:block}p{margin:.5em}#bar{height:2em;background:#333}#bar div{height:100%;background:#56b4e9}
</style><img src=stream alt="the camera's live picture"><div id=bar><div></div></div><p id=told>waiting</p><script>
const bar = document.querySelector('#bar div'), told = document.querySelector('#told')
setInterval(async () => {
  try {
    const now = await (await fetch('reading')).json()
    if (!now.aim) return
    const share = now.best ? now.aim.focus / now.best : 0
    bar.style.width = 100 * share + '%'
    told.textContent = `focus ${now.aim.focus.toFixed(1)}, ${Math.round(100 * share)} % of the best. `
      + (now.advice.join('; ') || 'Nothing to mend.')
  } catch { told.textContent = 'canopy aim has ended' }
}, 700)
</script>"""


class Page:
    """What is shown: the newest picture and its reading."""

    def __init__(self, camera: str) -> None:
        self.camera = camera
        self._changed = threading.Condition()
        self._number = 0
        self._jpeg = b""
        self._reading: dict[str, Any] = {}

    def show(self, jpeg: bytes, found: Aim, best: float) -> None:
        """Replace what is shown."""
        with self._changed:
            self._number += 1
            self._jpeg = jpeg
            self._reading = {"aim": asdict(found), "best": best, "advice": advice(found, best)}
            self._changed.notify_all()

    def picture(self, after: int) -> tuple[int, bytes]:
        """The next picture after number ``after``; an empty one if none came in time."""
        with self._changed:
            come = self._changed.wait_for(lambda: self._number > after, NEXT_WITHIN_S)
            return self._number, self._jpeg if come else b""

    def reading(self) -> bytes:
        """The newest reading as JSON."""
        with self._changed:
            return json.dumps(self._reading).encode()


@contextmanager
def served(page: Page, where: str, lasts_s: float) -> Iterator[list[str]]:
    """Serve the page at ``[HOST:]PORT``; the addresses to open, with the secret in them.

    Raises:
        ConfigError: ``where`` is no address of this machine.
    """
    host, _, port = where.rpartition(":")
    token = secrets.token_urlsafe(16)
    try:
        server = _Server((host, int(port)), page, token, time.monotonic() + lasts_s)
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"cannot serve on {where}: {error}; name a free port, such as --http 8088") from error
    thread = threading.Thread(target=server.serve_forever, name="aim-page", daemon=True)
    thread.start()
    try:
        hosts = [host] if host not in {"", "0.0.0.0", "::"} else _own_addresses()  # noqa: S104 - compared, not bound
        yield [f"http://{each}:{server.server_address[1]}/{token}/" for each in hosts]
    finally:
        server.shutdown()
        server.server_close()


def _own_addresses() -> list[str]:
    """This machine's addresses: that towards the network first; a name helps where the network has one for it."""
    found = []
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: the kernel only says which way it would go
        found.append(str(probe.getsockname()[0]))
    return [*found, socket.gethostname()]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], page: Page, token: str, until_s: float) -> None:
        self.page, self.token, self.until_s = page, token, until_s
        self.viewers = threading.Semaphore(MAX_VIEWERS)
        super().__init__(address, _Request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A phone that goes away is no news."""


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = WRITE_WITHIN_S
    server_version, sys_version = "canopy", ""

    def do_GET(self) -> None:
        folder, _, name = self.path.lstrip("/").partition("/")
        if not secrets.compare_digest(folder.encode(), self.server.token.encode()):
            self.send_error(404)
        elif name == "":
            self._reply("text/html; charset=utf-8", HTML.encode())
        elif name == "reading":
            self._reply("application/json", self.server.page.reading())
        elif name == "stream":
            self._stream()
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Nothing: the path holds the secret."""

    def _reply(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        if not self.server.viewers.acquire(blocking=False):
            self.send_error(503, "too many look already")
            return
        try:
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            number = 0
            while time.monotonic() < self.server.until_s:
                number, jpeg = self.server.page.picture(number)
                if jpeg:
                    head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (BOUNDARY, len(jpeg))
                    self.wfile.write(head + jpeg + b"\r\n")
        finally:
            self.server.viewers.release()
