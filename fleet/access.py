"""Who asks over HTTP, and what they may do.

The gate (``fleet.login.gate``) finds out who asks before a route is reached. A route says which role it is for with
``requires``, a WebSocket with ``visitor``; a template asks ``visit``.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from fastapi import Depends, HTTPException, WebSocket, WebSocketException
from starlette.requests import HTTPConnection


class Role(IntEnum):
    """What somebody may do; each role may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a program that was recognised. ``name`` is what the audit log writes."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Visit:
    """The request under way, as far as a page wants to know of it.

    Attributes:
        principal: who asks; ``None`` before the login.
        by: how they were recognised: as the only ones who can reach the port, by a session's cookie, by a token.
        csrf: what a form sends as ``csrf`` and a script as ``X-CSRF-Token`` when it changes something; empty without a
            session.
        hint: what the owner should do about the login, if there is none yet.
    """

    principal: Principal | None = None
    by: Literal["nobody", "loopback", "session", "token"] = "nobody"
    csrf: str = ""
    hint: str = ""


NOBODY = Visit()
current: ContextVar[Visit] = ContextVar("visit", default=NOBODY)
"""Set by the gate, for this request and the threads that serve it."""


def visit() -> Visit:
    """The request under way; the templates know it by the same name."""
    return current.get()


def principal(connection: HTTPConnection) -> Principal:
    """Who asks, as the gate has found out.

    Raises:
        HTTPException: 401, nobody that is known.
    """
    found = getattr(connection.state, "principal", None)
    if not isinstance(found, Principal):
        raise HTTPException(401, "log in first")
    return found


def requires(role: Role) -> Any:
    """The dependency of a route that is for ``role`` and above; it gives the ``Principal``."""

    def check(connection: HTTPConnection) -> Principal:
        found = principal(connection)
        if found.role < role:
            raise HTTPException(403, _too_little(found, role))
        return found

    check.role = role  # type: ignore[attr-defined]  # a test asks every route that changes something
    return Depends(check)


def visitor(websocket: WebSocket, role: Role = Role.VIEWER) -> Principal:
    """Who opens a WebSocket: the same cookie or token as for the pages, and a page of this service.

    Raises:
        WebSocketException: 1008, nobody that is known, or somebody who may not.
    """
    found = getattr(websocket.state, "principal", None)
    if not isinstance(found, Principal):
        raise WebSocketException(1008, "log in first")
    if found.role < role:
        raise WebSocketException(1008, _too_little(found, role)[:120])
    return found


def _too_little(found: Principal, role: Role) -> str:
    return f"this is for the role {role.name.lower()}; {found.name} is {found.role.name.lower()}"
