"""Commands over HTTP, while there is no login: refused before anything of their bodies is read, but on loopback.

They are off unless ``http.commands`` allows them, which only loopback may. Then they are taken under a loopback name (a
page elsewhere could give its own name this address), not from a proxy, and only with a header and a content type that
no form of another site can send without asking first.
"""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from fleet.api.problems import problem
from fleet.settings import is_loopback

COMMAND_HEADER = "X-Canopy-Command"
MAX_BODY_BYTES = 100_000

_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_Next = Callable[[Request], Awaitable[Response]]


def guard(*, allowed: bool) -> Callable[[Request, _Next], Awaitable[Response]]:
    """The middleware that refuses commands."""

    async def check(request: Request, call_next: _Next) -> Response:
        refusal = None if request.method in _HARMLESS else _refusal(request, allowed=allowed)
        return await call_next(request) if refusal is None else refusal

    return check


def _refusal(request: Request, *, allowed: bool) -> Response | None:
    length = request.headers.get("content-length", "")
    for refused, status, reason in (
        (
            not allowed or not is_loopback(request.url.hostname or "") or not _FORWARDED.isdisjoint(request.headers),
            403, "there is no login, so commands over HTTP are off, or for loopback alone: use canopy-fleet over there",
        ),
        (
            request.headers.get(COMMAND_HEADER) != "1",
            403, f"a command needs the header {COMMAND_HEADER}: 1, which no other site can send",
        ),
        (
            request.headers.get("content-type", "").partition(";")[0].strip() != "application/json",
            415, "a command is JSON: send Content-Type: application/json",
        ),
        (
            not length.isdecimal() or int(length) > MAX_BODY_BYTES,
            413, f"a command has a Content-Length of at most {MAX_BODY_BYTES} bytes",
        ),
    ):  # fmt: skip
        if refused:
            return problem(status, reason)
    return None
