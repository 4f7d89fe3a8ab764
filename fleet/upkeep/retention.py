"""Old readings are let go of once their hours and days are rolled up; what was let go of is never counted again."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from fleet import schema, statements
from fleet.upkeep.partitions import let_go


def let_readings_go(connection: Connection, before: datetime) -> int:
    """Delete some readings taken before a full hour, if all of them are rolled up; 0 if nothing is left to delete."""
    hours = schema.hours
    due = select(func.count()).where(hours.c.rolled != hours.c.received, hours.c.hour < before)
    if connection.execute(due).scalar_one():
        return 0
    since = kept_since(connection)
    if since is None or since < before:
        statements.replace_rows(connection, schema.kept, [{"id": 1, "since": before}])
    return let_go(connection, before)


def kept_since(connection: Connection) -> datetime | None:
    """From when on every reading is still there; ``None``: since ever."""
    return connection.execute(select(schema.kept.c.since)).scalar_one_or_none()
