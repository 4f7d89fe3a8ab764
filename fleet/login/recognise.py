"""Who makes a request: by its session's cookie, by a token, or, before there is any user, by being on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.requests import HTTPConnection

from fleet.access import NOBODY, Principal, Role, Visit
from fleet.login import sessions, tokens, users
from fleet.settings import is_loopback
from fleet.store import Store

LOCAL = Principal("local", Role.VIEWER)
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})

_OPEN = f"Nobody can log in yet, so everybody on this machine may look and nobody may change anything: {users.FIRST}"
_CLOSED = f"Nobody can log in yet; on the machine that runs the service: {users.FIRST}"

Touch = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Recognised:
    """Who it is. ``refusal`` says, with its HTTP status, why somebody who showed something is not let in."""

    visit: Visit
    refusal: str = ""
    status: int = 401
    touch: Touch | None = None


def is_secure(asked: HTTPConnection) -> bool:
    """Whether the request came over TLS, to this service or to a proxy that is believed."""
    return asked.scope["scheme"] in {"https", "wss"}


def cookie_name(*, secure: bool) -> str:
    """``__Host-``: browsers take it over TLS only, for this very host, and no other can put one in its place."""
    return "__Host-canopy" if secure else "canopy"


def session_secret(asked: HTTPConnection) -> str:
    """What the session's cookie holds, or nothing."""
    return asked.cookies.get(cookie_name(secure=is_secure(asked)), "")


def recognise(store: Store, asked: HTTPConnection) -> Recognised:
    """Find out who asks, and note now and then that their session or token is in use.

    Raises:
        StoreError: the store cannot say.
    """
    with store.reading() as connection:
        found = _find(connection, asked, datetime.now(timezone.utc))
    if found.touch is not None:
        with store.writing() as connection:
            found.touch(connection)
    return found


def _find(connection: Connection, asked: HTTPConnection, now: datetime) -> Recognised:
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _by_token(connection, token.strip(), asked.scope["path"], now)
    secret = session_secret(asked)
    found = sessions.find(connection, secret, now) if secret else None
    if found is not None:
        visit = Visit(found[0], "session", sessions.csrf(secret))
        return Recognised(visit, touch=(lambda writing: sessions.touch(writing, secret, now)) if found[1] else None)
    if users.exist(connection):
        return Recognised(NOBODY)
    return Recognised(Visit(LOCAL, "loopback", hint=_OPEN) if _is_local(asked) else Visit(hint=_CLOSED))


def _by_token(connection: Connection, token: str, path: str, now: datetime) -> Recognised:
    found = tokens.find(connection, token, path, now)
    if found is None:
        return Recognised(NOBODY, "this token is none of ours, or has expired or been revoked: canopy-fleet token list")
    if found[0] is None:
        return Recognised(NOBODY, f"no scope of this token covers the area {tokens.area(path)}", 403)
    visit = Visit(found[0], "token")
    return Recognised(visit, touch=(lambda writing: tokens.touch(writing, token, now)) if found[1] else None)


def _is_local(asked: HTTPConnection) -> bool:
    """From this machine, under its own name (a page elsewhere could give its name this address), by no proxy."""
    from_here = asked.client is not None and is_loopback(asked.client.host)
    return from_here and _names_loopback(asked.headers.get("host", "")) and _FORWARDED.isdisjoint(asked.headers)


def _names_loopback(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
