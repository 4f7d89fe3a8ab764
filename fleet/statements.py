"""Statements that SQLite and PostgreSQL spell the same way and SQLAlchemy does not."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg
import psycopg.sql
from sqlalchemy import Connection, Integer, Text, any_, cast, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

Rows = Sequence[Mapping[str, Any]]


def insert(connection: Connection, table: Any) -> Any:
    """An insert that knows ``on conflict``; each dialect has its own."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def add_rows(connection: Connection, table: Any, rows: Rows) -> None:
    """Put in the rows whose keys are not there yet. All rows have the same columns."""
    if rows:
        connection.execute(insert(connection, table).on_conflict_do_nothing(), list(rows))


def is_one_of(connection: Connection, column: Any, numbers: Collection[int]) -> Any:
    """``column IN numbers``, as one array where there are any: a thousand parameters cost more than what they find."""
    if connection.dialect.name != "postgresql":
        return column.in_(sorted(numbers))
    listed = "{" + ",".join(map(str, sorted(numbers))) + "}"
    return column == any_(cast(literal(listed, Text), postgresql.ARRAY(Integer)))


def append_rows(connection: Connection, table: Any, rows: Rows) -> None:
    """Put in rows of which none is there yet: by COPY, where there is one. All rows have the same columns."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(table.insert(), list(rows))
        return
    try:
        _copy(connection, table.name, list(rows[0]), rows)
    except psycopg.Error as error:
        raise DBAPIError.instance("COPY", None, error, psycopg.Error, dialect=connection.dialect) from error


def _copy(connection: Connection, table: str, names: Sequence[str], rows: Rows) -> None:
    columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, names))
    statement = psycopg.sql.SQL("COPY {} ({}) FROM STDIN").format(psycopg.sql.Identifier(table), columns)
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([_copied(row[name]) for name in names])


def _copied(value: Any) -> Any:
    """Arrays as PostgreSQL writes them: half of the time of a COPY would go into the driver's way of doing it."""
    if isinstance(value, list):
        return "{" + ",".join("NULL" if number is None else repr(number) for number in value) + "}"
    return value


def replace_rows(connection: Connection, table: Any, rows: Rows) -> None:
    """Put rows in the place of those that have their primary keys. All rows have the same columns."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert(connection, table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), list(rows))
