"""The database's revisions: every change of the tables, in order, and how a database gets to the newest.

A maintainer who changed ``fleet.schema`` writes the revision with ``python -m fleet.migrations "what changes"``, reads
it, and commits both. Databases are upgraded by the service when it starts, or with ``canopy-fleet db upgrade``.
"""
# ruff: noqa: PLC0415 - Alembic is imported where tables change, which is seldom

from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Inspector, inspect, text

from fleet.upkeep.partitions import divide

FOLDER = Path(__file__).parent
_TABLE = "alembic_version"
_LOCK = 0x63616E6F7079
"""PostgreSQL's advisory lock that upgrades take, so that one of many services does it."""


def current(connection: Connection) -> str | None:
    """The revision that a database has; None if it is empty.

    Raises:
        ValueError: it holds tables, and none of them says a revision.
    """
    tables = Inspector.get_table_names(inspect(connection))
    if _TABLE in tables:
        return connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar_one_or_none()  # noqa: S608
    if tables:
        raise ValueError(f"it holds {len(tables)} tables, as {tables[0]}, and no revision of ours")
    return None


@cache
def known() -> tuple[str, ...]:
    """The revisions that this release knows, the newest first: each file of ``versions`` begins with its own."""
    found = sorted((path.name.partition("_")[0] for path in FOLDER.glob("versions/[0-9]*.py")), reverse=True)
    return tuple(found)


def upgrade(connection: Connection) -> None:
    """Bring a database to the newest revision, in the transaction that the caller has begun for writing."""
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if current(connection) != known()[0]:
        command.upgrade(configuration(connection), "head")
        divide(connection)


def differences(connection: Connection) -> list[Any]:
    """What of a database is not as ``fleet.schema`` says it; nothing, if all is well."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from fleet import schema
    from fleet.migrations.options import OPTIONS

    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=OPTIONS), schema.metadata)
    return found


def configuration(connection: Connection) -> Any:
    """Alembic's, for one connection."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(FOLDER))
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    made.set_main_option("path_separator", "os")
    return made
