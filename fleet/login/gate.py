"""The gate before every route: who asks, may they come in, and is it they who ask and not a page elsewhere.

It decides in pure code (``refusal``), by the path that the router sees: a URL put together with the Host header could
show another. It lets nothing of a body be read that has no bound. What a route is for it says itself, with
``fleet.access.requires``. Whatever changes something is in the audit log: most routes write there what was done; for
one that does not, the gate writes that it was called.
"""

import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet import audit
from fleet.access import NOBODY, Visit, current
from fleet.api.problems import RETRY_AFTER_S, problem
from fleet.errors import StoreError
from fleet.login.recognise import Recognised, recognise
from fleet.store import Store

CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
MAX_BODY_BYTES = 100_000
MAX_FIELDS = 64
HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
SOCKET = "WEBSOCKET"

PUBLIC = frozenset({"/login", "/healthz", "/enroll", "/enroll/renew", "/ca.pem", "/crl.pem"})
PUBLIC_BELOW = ("/static/", "/updates/", "/frames/")
"""Nobody is asked who they are there: what is served is public, or proves itself (a token, a signature)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further."""

    status: int
    detail: str


def refusal(asked: HTTPConnection, method: str, found: Recognised, csrf: str) -> Refusal | None:
    """Whether a request is refused. ``csrf`` is what it sent as such, in a header or a form."""
    visit, changes = found.visit, method not in HARMLESS | {SOCKET}
    if is_public(asked.scope["path"]):
        return None
    if visit.principal is None:
        return Refusal(found.status, found.refusal or visit.hint or "log in first")
    if changes and visit.by == "loopback":
        return Refusal(403, visit.hint)
    if visit.by != "token" and (changes or method == SOCKET) and not is_own_page(asked):
        return Refusal(403, "this came from a page of another site")
    if changes and visit.by == "session" and not hmac.compare_digest(csrf.encode(), visit.csrf.encode()):
        return Refusal(403, "this page is out of date: load it again (its CSRF token is not that of your session)")
    return None


def is_public(path: str) -> bool:
    """Whether a path is served to everybody."""
    return path in PUBLIC or path.startswith(PUBLIC_BELOW)


def is_own_page(asked: HTTPConnection) -> bool:
    """Whether a browser says that a page of this very service asks; programs say nothing."""
    origin, site = asked.headers.get("origin"), asked.headers.get("sec-fetch-site", "same-origin")
    same = origin is None or urlsplit(origin).netloc == asked.headers.get("host", "")
    return same and site in {"same-origin", "none"}


class Gate:
    """The middleware. It sets ``state.principal`` of requests and WebSockets, and ``fleet.access.visit``."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app, self._store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        asked, method = HTTPConnection(scope), scope.get("method", SOCKET)
        if method not in HARMLESS | {SOCKET} and _has_no_bound(asked):
            refused = Refusal(413, f"send a Content-Length of at most {MAX_BODY_BYTES} bytes")
            await _answer(asked, method, refused)(scope, receive, send)
            return
        if asked.scope["path"].startswith(PUBLIC_BELOW):
            await self._pass(scope, receive, send, NOBODY)
            return
        try:
            found = await run_in_threadpool(recognise, self._store, asked)
        except StoreError as error:
            await _answer(asked, method, Refusal(503, str(error)))(scope, receive, send)
            return
        receive, csrf = await _csrf(asked, receive)
        refused_for = refusal(asked, method, found, csrf)
        if refused_for is not None:
            await _answer(asked, method, refused_for)(scope, receive, send)
            return
        await self._pass(scope, receive, send, found.visit)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        scope.setdefault("state", {})["principal"] = visit.principal
        token = current.set(visit)
        try:
            with audit.noticing() as noticed:
                await self._app(scope, receive, self._noting(scope, send, visit, noticed))
        finally:
            current.reset(token)

    def _noting(self, scope: Scope, send: Send, visit: Visit, noticed: list[str]) -> Send:
        """Before the answer to a change goes out, it is in the audit log."""
        if scope["type"] != "http" or scope["method"] in HARMLESS or visit.principal is None:
            return send
        who = visit.principal.name

        async def note_first(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400 and not noticed:
                await run_in_threadpool(self._note, who, scope["method"], scope["path"], message["status"])
            await send(message)

        return note_first

    def _note(self, who: str, method: str, path: str, status: int) -> None:
        with self._store.writing() as connection:
            audit.record(connection, who, f"http {method.lower()}", path[:256], status=status)


def _has_no_bound(asked: HTTPConnection) -> bool:
    length = asked.headers.get("content-length", "")
    is_number = length.isascii() and length.isdecimal() and len(length) <= len(str(MAX_BODY_BYTES))
    return not is_number or int(length) > MAX_BODY_BYTES or "transfer-encoding" in asked.headers


async def _csrf(asked: HTTPConnection, receive: Receive) -> tuple[Receive, str]:
    """The request's CSRF token; a form that had to be read for it is given on as it came."""
    sent = asked.headers.get(CSRF_HEADER, "")
    is_form = asked.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if sent or not is_form or asked.scope["type"] != "http":
        return receive, sent
    body = await _read(receive)
    return _again(body, receive), form_fields(body).get(CSRF_FIELD, "")


def form_fields(body: bytes) -> dict[str, str]:
    """The fields of a form, each with its first value; none of a form that has too many."""
    try:
        found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


async def _read(receive: Receive) -> bytes:
    """A body whose length was checked already."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give


def _answer(asked: HTTPConnection, method: str, refused: Refusal) -> ASGIApp:
    if method == SOCKET:
        return _close
    path, query = asked.scope["path"], asked.scope["query_string"].decode("latin-1")
    for_people = "text/html" in asked.headers.get("accept", "") and not path.startswith(("/api/", "/brapi/"))
    if refused.status == 401 and for_people and method in HARMLESS:
        return RedirectResponse(f"/login?next={quote(f'{path}?{query}' if query else path, safe='')}", 303)
    later = {"Retry-After": str(RETRY_AFTER_S)} if refused.status == 503 else None
    answer = problem(refused.status, refused.detail, headers=later)
    if refused.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def _close(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})
