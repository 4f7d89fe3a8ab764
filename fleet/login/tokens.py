"""API tokens: for programs. Shown once, kept as their SHA-256, valid for a time, and for what their scopes say.

A scope is an action, ``read``, ``operate`` or ``admin``, or an action in one area: ``rollouts:operate``. The area of a
path is its first part, without ``/api/`` and a version: ``observations`` of ``/api/v1/observations``, ``brapi`` of
``/brapi/v2/…``, ``metrics``; that of the first page is ``overview``.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, insert, select, update

from edge.contract.message import Name
from fleet import audit, schema
from fleet.access import Principal, Role
from fleet.errors import NotFound, NotPossible, PlanError
from fleet.login.secret import MAX_SECRET_CHARS, digest, new_secret

PREFIX = "canopy_"
"""So that one that was published by mistake can be found."""
MAX_DAYS = 3_660
MAX_SCOPES = 16
USED_EVERY = timedelta(minutes=5)

ACTIONS = {"read": Role.VIEWER, "operate": Role.OPERATOR, "admin": Role.ADMIN}
_SCOPE = re.compile(r"^(?:([a-z0-9][a-z0-9_-]{0,31}):)?(read|operate|admin)$")
_VERSION = re.compile(r"^v[0-9]+$")
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_table = schema.api_tokens.c


def create(
    connection: Connection, name: str, scopes: Sequence[str], valid_for: timedelta, who: str, now: datetime
) -> str:
    """Make a token; returns it, for the only time.

    Raises:
        PlanError: the name, a scope or the time cannot be used.
        NotPossible: there is a token of this name.
    """
    _check(name, scopes, valid_for)
    if connection.execute(select(_table.name).where(_table.name == name)).first():
        raise NotPossible(f"there is a token {name} already; revoke it first, or take another name")
    token = PREFIX + new_secret()
    row = {"name": name, "digest": digest(token), "scopes": " ".join(scopes), "created_by": who[:256]}
    connection.execute(insert(schema.api_tokens).values(**row, created_at=now, expires_at=now + valid_for))
    audit.record(connection, who, "token create", name, scopes=row["scopes"], expires_at=now + valid_for)
    return token


def list_tokens(connection: Connection) -> list[dict[str, Any]]:
    """Everything about them except what opens the door."""
    columns = [column for column in schema.api_tokens.columns if column.name != "digest"]
    return [dict(row) for row in connection.execute(select(*columns).order_by(_table.name)).mappings()]


def revoke(connection: Connection, name: str, who: str) -> None:
    """Make a token worthless, from the next request on.

    Raises:
        NotFound: no such token.
    """
    if not connection.execute(delete(schema.api_tokens).where(_table.name == name)).rowcount:
        raise NotFound(f"there is no token {name}; canopy-fleet token list shows them")
    audit.record(connection, who, "token revoke", name)


def find(connection: Connection, token: str, path: str, now: datetime) -> tuple[Principal | None, bool] | None:
    """Whose token this is, and whether ``touch`` is due; without a principal if no scope of it covers ``path``."""
    if len(token) > MAX_SECRET_CHARS:
        return None
    query = select(schema.api_tokens).where(_table.digest == digest(token), _table.expires_at > now)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    role = role_for(row.scopes.split(), path)
    due = row.used_at is None or now - row.used_at > USED_EVERY
    return (Principal(f"token {row.name}", role) if role else None), due


def touch(connection: Connection, token: str, now: datetime) -> None:
    """Note that a token is in use."""
    connection.execute(update(schema.api_tokens).where(_table.digest == digest(token)).values(used_at=now))


def area(path: str) -> str:
    """What part of the service a path belongs to."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"]:
        parts = parts[2:] if _VERSION.match("".join(parts[1:2])) else parts[1:]
    return parts[0] if parts else "overview"


def role_for(scopes: Sequence[str], path: str) -> Role | None:
    """The highest role that the scopes give on a path."""
    here = area(path)
    roles = []
    for scope in scopes:
        place, _, action = scope.rpartition(":")
        if place in {"", here} and action in ACTIONS:
            roles.append(ACTIONS[action])
    return max(roles, default=None)


def _check(name: str, scopes: Sequence[str], valid_for: timedelta) -> None:
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        raise PlanError(f"{name!r:.80} is no token's name; name the program that will use it") from error
    wrong = [scope for scope in scopes if not _SCOPE.match(scope)]
    if wrong or not 0 < len(scopes) <= MAX_SCOPES:
        raise PlanError(
            f"{wrong[0] if wrong else 'no scope'!r:.80} is no scope; take read, operate or admin, or an area's, as "
            "rollouts:operate"
        )
    if not timedelta(0) < valid_for <= timedelta(days=MAX_DAYS):
        raise PlanError(f"a token is valid for up to {MAX_DAYS} days, not for {valid_for.days}")
