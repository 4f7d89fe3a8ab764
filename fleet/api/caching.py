"""Answers that are asked for again and have not changed are not sent again: ETag, If-None-Match, 304 (RFC 9110).

The tag is a digest of the body, so it is right whatever the answer was made of; what is saved is the line, not the
work. Answers depend on who asks, so only that one's own cache may keep them, and must ask each time.
"""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

REVALIDATE = "private, no-cache"
VARY = "Accept, Authorization, Cookie"
_KEPT = ("cache-control", "vary", "etag")


class Revalidated(APIRoute):
    """A route whose GET answers carry a tag, and are 304 for who has them already."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own, and then the tag."""
        answer = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await answer(request)
            body = getattr(response, "body", None)
            return _with_tag(request, response, body) if request.method == "GET" and body is not None else response

        return tagged


def _with_tag(request: Request, response: Response, body: bytes) -> Response:
    response.headers.setdefault("Cache-Control", REVALIDATE)
    response.headers["Vary"] = VARY
    if response.status_code != 200:
        return response
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    response.headers["ETag"] = tag
    if not _has(request.headers.get("if-none-match", ""), tag):
        return response
    kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return Response(status_code=304, headers=kept)


def _has(wanted: str, tag: str) -> bool:
    """Whether a list of tags names ours; ``*`` names any. Weak and strong tags compare as equal (RFC 9110, 13.1.2)."""
    return wanted.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in wanted.split(",")}
