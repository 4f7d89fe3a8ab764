"""A repository on a static host, over HTTP."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from edge.update.fetch import NOT_FOUND, Body, Fetcher

_CHUNK_BYTES = 64 * 2**10
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a host before it counts as gone.

    Attributes:
        connect_s: for the connection.
        silence_s: for the next byte.
        answer_s: for the whole head of an answer, however slowly it drips.
        warm_up_s: before the speed of the body is judged.
        least_bytes_per_s: that speed, as a mean; a cellular link at its worst has more.
    """

    connect_s: float = 10.0
    silence_s: float = 30.0
    answer_s: float = 60.0
    warm_up_s: float = 60.0
    least_bytes_per_s: float = 256.0


class HttpFetcher(Fetcher):
    """Fetches ``http:`` and ``https:`` URLs, over the proxy that the environment names.

    Args:
        patience: when to give up.
        ca_file: a certificate authority to believe besides the system's, such as the fleet's own.
    """

    def __init__(self, patience: Patience | None = None, ca_file: Path | None = None) -> None:
        self._patience = patience or Patience()
        self._ca_file = ca_file
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    @contextmanager
    def open(self, url: str, start_byte: int = 0) -> Iterator[Body]:
        """GET ``url``, from ``start_byte`` on; connections are used again."""
        try:
            answer = self._ask(url, start_byte)
        except urllib3.exceptions.HTTPError as error:
            raise _as_tuf(url, error) from error
        try:
            yield self._body(url, answer, start_byte)
        finally:
            answer.close()

    def _ask(self, url: str, start_byte: int) -> urllib3.BaseHTTPResponse:
        # Compressed, a range would mean nothing and a length neither.
        headers = {"Accept-Encoding": "identity", "User-Agent": "canopy"}
        if start_byte:
            headers["Range"] = f"bytes={start_byte}-"
        patience = self._patience
        answer = self._pool(url).request(
            "GET",
            url,
            headers=headers,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=patience.connect_s, read=patience.silence_s),
            retries=urllib3.Retry(connect=1, read=0, redirect=3, status=0, other=0, backoff_factor=0.2),
        )
        if answer.status == _UNSATISFIABLE and start_byte:
            answer.close()
            return self._ask(url, 0)
        if answer.status not in (_OK, _PARTIAL):
            answer.close()
            raise DownloadHTTPError(f"{url}: the host answers {answer.status}", answer.status)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            answer.close()
            raise DownloadHTTPError(f"{url} gives a web page instead of the file", NOT_FOUND)
        return answer

    def _body(self, url: str, answer: urllib3.BaseHTTPResponse, start_byte: int) -> Body:
        began_at = _range_start(answer) if answer.status == _PARTIAL else 0
        if began_at not in (0, start_byte) or answer.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(f"{url}: the host sends another part, or compresses, and was not asked to")
        length = answer.headers.get("Content-Length", "")
        return Body(began_at, int(length) if length.isdecimal() else None, self._chunks(url, answer))

    def _chunks(self, url: str, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """What has come, as soon as it has; time that the reader takes for itself counts for nothing."""
        patience = self._patience
        waited_s, received_bytes = 0.0, 0
        while True:
            since_s = time.monotonic()
            try:
                chunk = answer.read1(_CHUNK_BYTES)
            except urllib3.exceptions.HTTPError as error:
                raise _as_tuf(url, error) from error
            if not chunk:
                return
            waited_s += time.monotonic() - since_s
            received_bytes += len(chunk)
            if waited_s > patience.warm_up_s and received_bytes < patience.least_bytes_per_s * waited_s:
                raise SlowRetrievalError(f"{url}: {received_bytes} bytes in {waited_s:.0f} s")
            yield chunk

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
        if proxy not in self._pools:
            self._pools[proxy] = self._made_pool(proxy)
        return self._pools[proxy]

    def _made_pool(self, proxy: str | None) -> urllib3.PoolManager:
        options: dict[str, Any] = {"num_pools": 2}
        if self._ca_file is not None:
            options["ssl_context"] = context = ssl.create_default_context()
            context.load_verify_locations(self._ca_file)
        pool = urllib3.PoolManager(**options) if proxy is None else urllib3.ProxyManager(proxy, **options)
        pool.pool_classes_by_scheme = _pool_classes(self._patience.answer_s)
        return pool


def _range_start(answer: urllib3.BaseHTTPResponse) -> int:
    """``Content-Range: bytes 5-9/10`` begins at 5 (RFC 9110, 14.4); -1 for anything else."""
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else -1


def _as_tuf(url: str, error: urllib3.exceptions.HTTPError) -> DownloadError:
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return SlowRetrievalError(f"{url}: no answer in time")
    return DownloadError(f"{url}: {reason}")


def _pool_classes(answer_s: float) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections bound the whole time to an answer's head.

    A timeout of the socket bounds only the silence between two bytes: a head that drips would take hours.
    """

    class PlainConnection(HTTPConnection):
        def getresponse(self) -> Any:
            with _cut_after(answer_s, self.sock):
                return super().getresponse()

    class SecureConnection(HTTPSConnection):
        def getresponse(self) -> Any:
            with _cut_after(answer_s, self.sock):
                return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": PlainPool, "https": SecurePool}


@contextmanager
def _cut_after(limit_s: float, connection: socket.socket) -> Iterator[None]:
    """Cut a connection that holds its reader for longer than ``limit_s``.

    Raises:
        TimeoutError: it was cut. To the reader the cut alone looks like the end of a head.
    """
    is_over = threading.Event()

    def cut() -> None:
        is_over.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if is_over.is_set():
            raise TimeoutError(f"no whole head in {limit_s:.0f} s")
