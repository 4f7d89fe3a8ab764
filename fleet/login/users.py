"""The people who may log in."""

from datetime import datetime, timezone
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, func, insert, select, update

from edge.contract.message import Name
from fleet import audit, schema
from fleet.access import Principal, Role
from fleet.errors import NotFound, NotPossible, PlanError
from fleet.login.passwords import hash_password, matches
from fleet.store import Store

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_table = schema.users.c

RESERVED = frozenset({"local", "nobody", audit.SERVICE})
"""Names under which the audit log speaks of others."""
FIRST = "canopy-fleet user add NAME --role admin"
"""What the owner types first."""


def exist(connection: Connection) -> bool:
    """Whether anybody can log in."""
    return connection.execute(select(_table.name).limit(1)).first() is not None


def is_known(connection: Connection, name: str) -> bool:
    """Whether there is such a user."""
    return _find(connection, name[:64]) is not None


def add(connection: Connection, name: str, role: Role, password: str, who: str) -> None:
    """Let somebody log in.

    Raises:
        PlanError: the name or the password cannot be one.
        NotPossible: there is such a user.
    """
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        raise PlanError(
            f"{name!r:.80} is no user's name; take up to 64 letters, digits, dots, hyphens and underscores"
        ) from error
    if name in RESERVED:
        raise PlanError(f"{name} means somebody else in the audit log; take another name")
    if _find(connection, name) is not None:
        raise NotPossible(f"there is a user {name} already; change it with canopy-fleet user role or user password")
    now = datetime.now(timezone.utc)
    row = {"name": name, "role": role.name.lower(), "password": hash_password(password)}
    connection.execute(insert(schema.users).values(**row, created_at=now, changed_at=now))
    audit.record(connection, who, "user add", name, role=row["role"])


def set_role(connection: Connection, name: str, role: Role, who: str) -> None:
    """Give somebody another role, from their next request on.

    Raises:
        NotFound: no such user.
        NotPossible: they are the last admin.
    """
    _known(connection, name)
    if role is not Role.ADMIN:
        _keep_an_admin(connection, name)
    connection.execute(update(schema.users).where(_table.name == name).values(role=role.name.lower()))
    audit.record(connection, who, "user role", name, role=role.name.lower())


def set_password(connection: Connection, name: str, password: str, who: str) -> None:
    """Give somebody another password, and end their sessions.

    Raises:
        NotFound: no such user.
        PlanError: the password cannot be one.
    """
    _known(connection, name)
    changed = {"password": hash_password(password), "changed_at": datetime.now(timezone.utc)}
    connection.execute(update(schema.users).where(_table.name == name).values(**changed))
    _end_sessions(connection, name)
    audit.record(connection, who, "user password", name)


def remove(connection: Connection, name: str, who: str) -> None:
    """Let somebody in no more; their sessions end with it.

    Raises:
        NotFound: no such user.
        NotPossible: they are the last admin.
    """
    _known(connection, name)
    _keep_an_admin(connection, name)
    _end_sessions(connection, name)
    connection.execute(delete(schema.users).where(_table.name == name))
    audit.record(connection, who, "user remove", name)


def list_users(connection: Connection) -> list[dict[str, Any]]:
    """Name, role, moments; never the password's hash."""
    columns = (_table.name, _table.role, _table.created_at, _table.changed_at, _table.last_login)
    return [dict(row) for row in connection.execute(select(*columns).order_by(_table.name)).mappings()]


def authenticate(store: Store, name: str, password: str) -> Principal | None:
    """Who this is by name and password; ``None`` if it is nobody, which takes as long."""
    with store.reading() as connection:
        found = _find(connection, name[:64])
    if not matches(found and found.password, password) or found is None:  # a tenth of a second, without the database
        return None
    return Principal(found.name, Role[found.role.upper()])


def _find(connection: Connection, name: str) -> Any:
    return connection.execute(select(schema.users).where(_table.name == name)).one_or_none()


def _known(connection: Connection, name: str) -> None:
    if _find(connection, name) is None:
        raise NotFound(f"there is no user {name}; canopy-fleet user list shows them")


def _keep_an_admin(connection: Connection, name: str) -> None:
    others = select(func.count()).where(_table.role == "admin", _table.name != name).select_from(schema.users)
    if not connection.execute(others).scalar_one():
        raise NotPossible(f"{name} is the last admin; make another one first: {FIRST}")


def _end_sessions(connection: Connection, name: str) -> None:
    connection.execute(delete(schema.sessions).where(schema.sessions.c.user == name))
