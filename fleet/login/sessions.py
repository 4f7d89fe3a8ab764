"""Sessions: on the server, found by the SHA-256 of what the cookie holds."""

import hashlib
import hmac
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, or_, select, update

from fleet import schema
from fleet.access import Principal, Role
from fleet.login.secret import MAX_SECRET_CHARS, digest, new_secret

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=5)
"""A session's last use is written so often only: to look at a page should be no write."""

_table = schema.sessions.c


def begin(connection: Connection, user: str, address: str, now: datetime) -> str:
    """A new session; returns what the cookie holds. Those that are over are cleared away."""
    over = or_(_table.seen_at < now - IDLE, _table.created_at < now - LONGEST)
    connection.execute(delete(schema.sessions).where(over))
    secret = new_secret()
    row = {"digest": digest(secret), "user": user, "created_at": now, "seen_at": now, "address": address[:64]}
    connection.execute(insert(schema.sessions).values(**row))
    connection.execute(update(schema.users).where(schema.users.c.name == user).values(last_login=now))
    return secret


def find(connection: Connection, secret: str, now: datetime) -> tuple[Principal, bool] | None:
    """Whose session this is, with the role that they have now, and whether ``touch`` is due."""
    if len(secret) > MAX_SECRET_CHARS:
        return None
    query = (
        select(schema.users.c.name, schema.users.c.role, _table.seen_at)
        .join_from(schema.sessions, schema.users)
        .where(_table.digest == digest(secret), _table.seen_at >= now - IDLE, _table.created_at >= now - LONGEST)
    )
    row = connection.execute(query).one_or_none()
    return row and (Principal(row.name, Role[row.role.upper()]), now - row.seen_at > SEEN_EVERY)


def touch(connection: Connection, secret: str, now: datetime) -> None:
    """Note that a session is in use."""
    connection.execute(update(schema.sessions).where(_table.digest == digest(secret)).values(seen_at=now))


def end(connection: Connection, secret: str) -> None:
    """Log out."""
    connection.execute(delete(schema.sessions).where(_table.digest == digest(secret)))


def csrf(secret: str) -> str:
    """What a page of this session sends back to prove that it is one; nobody can find the session from it."""
    return hmac.digest(secret.encode("utf-8", "replace"), b"csrf", hashlib.sha256).hex()
