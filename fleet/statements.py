"""Statements that SQLite and PostgreSQL spell the same way and SQLAlchemy does not."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

Rows = Sequence[Mapping[str, Any]]


def insert(connection: Connection, table: Any) -> Any:
    """An insert that knows ``on conflict``; each dialect has its own."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def add_rows(connection: Connection, table: Any, rows: Rows) -> None:
    """Put in the rows whose keys are not there yet. All rows have the same columns."""
    if rows:
        connection.execute(insert(connection, table).on_conflict_do_nothing(), list(rows))


def replace_rows(connection: Connection, table: Any, rows: Rows) -> None:
    """Put rows in the place of those that have their primary keys. All rows have the same columns."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert(connection, table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), list(rows))
