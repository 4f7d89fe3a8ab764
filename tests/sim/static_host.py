"""A static host on a loopback port that serves files from memory, and can do to them what hosts and attackers do."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PAGE = b"<!DOCTYPE html><html><title>Welcome to our WiFi</title></html>" + b" " * 2000
TICK_S = 0.05

Fault = Callable[["_Asked", bytes], None]
"""Answers a request in its own way, given the content that was asked for (empty if there is none)."""


@dataclass
class StaticHost:
    """Serves ``files`` by their path, ranges too. ``faults`` answer for the paths that they are set for, ``"*"`` all.

    ``asked`` has each request: its path and its ``Range``. ``sent_bytes`` is what bodies had together.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent_bytes: int = 0
    port: int = 0
    certificate: Path | None = None
    """A PEM file with key and certificate: it speaks TLS."""

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def paths_asked(self) -> list[str]:
        return [path for path, _ in self.asked]

    @contextmanager
    def serving(self) -> Iterator["StaticHost"]:
        host = self

        class Asked(_Asked):
            site = host

        server = _Quiet(("127.0.0.1", 0), Asked)
        server.daemon_threads = True
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class _Quiet(ThreadingHTTPServer):
    """Clients go in the middle of things here; nobody needs to read of it."""

    def handle_error(self, *args: object) -> None: ...


class _Asked(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    site: StaticHost

    def do_GET(self) -> None:
        self.site.asked.append((self.path, self.headers.get("Range")))
        content = self.site.files.get(self.path)
        fault = self.site.faults.get(self.path) or self.site.faults.get("*")
        try:
            if fault is not None:
                fault(self, content or b"")
            elif content is None:
                self.answer(404, b"no such file", content_type="text/plain")
            else:
                self.give(content)
        except OSError:  # the client has had enough
            self.close_connection = True

    def first_byte(self) -> int:
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def give(self, content: bytes) -> None:
        first = self.first_byte()
        if first == 0:
            self.answer(200, content)
        elif first >= len(content):
            self.answer(416, b"")
        else:
            self.answer(206, content[first:], range_=f"bytes {first}-{len(content) - 1}/{len(content)}")

    def answer(
        self,
        status: int,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        length: int | None = None,
        range_: str | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if range_ is not None:
            self.send_header("Content-Range", range_)
        self.end_headers()
        self.write(body)

    def write(self, body: bytes) -> None:
        self.wfile.write(body)
        self.wfile.flush()
        self.site.sent_bytes += len(body)

    def log_message(self, *args: object) -> None: ...


def replaced_by(other: bytes) -> Fault:
    """Another content under the same name."""
    return lambda asked, _: asked.give(other)


def page(asked: _Asked, _: bytes) -> None:
    """A login page, or a host's friendly page for what it does not have, with 200."""
    asked.answer(200, PAGE, content_type="text/html; charset=utf-8")


def page_called_json(asked: _Asked, _: bytes) -> None:
    """The same, by a host that goes by the extension."""
    asked.answer(200, PAGE, content_type="application/json")


def endless(asked: _Asked, content: bytes) -> None:
    """What was asked for, and then more, until the client goes."""
    asked.send_response(200)
    asked.send_header("Content-Type", "application/octet-stream")
    asked.end_headers()
    asked.close_connection = True
    asked.write(content)
    for _ in range(2000):
        asked.write(b"{" * 2**16)


def oversized(asked: _Asked, content: bytes) -> None:
    """A length that was never signed, honestly told."""
    asked.answer(200, content, length=2**40)
    asked.close_connection = True


def dropped_after(length: int) -> Fault:
    """The line breaks ``length`` bytes into the body."""

    def drop(asked: _Asked, content: bytes) -> None:
        first = asked.first_byte()
        rest = content[first:]
        range_ = f"bytes {first}-{len(content) - 1}/{len(content)}" if first else None
        asked.answer(206 if first else 200, rest[:length], length=len(rest), range_=range_)
        asked.close_connection = True

    return drop


def truncated_to(length: int) -> Fault:
    """A file that is shorter than it should be, and complete as far as the host knows."""
    return lambda asked, content: asked.answer(200, content[:length])


def ignores_ranges(asked: _Asked, content: bytes) -> None:
    """A host that sends the whole, whatever part was asked for."""
    asked.answer(200, content)


def dripping_head(asked: _Asked, _: bytes) -> None:
    """A head that comes a line at a time and never ends."""
    asked.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(90):
        asked.wfile.write(b"X-%d: 0\r\n" % number)
        asked.wfile.flush()
        time.sleep(TICK_S)
    asked.close_connection = True


def dripping_body(asked: _Asked, content: bytes) -> None:
    """A body that comes a byte at a time."""
    asked.answer(200, b"", length=len(content))
    for byte in content:
        asked.write(bytes([byte]))
        time.sleep(TICK_S)


def certificate(path: Path) -> Path:
    """A certificate for the loopback that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


def answers(status: int) -> Fault:
    """An error of the host's own."""
    return lambda asked, _: asked.answer(status, b"no", content_type="text/plain")
