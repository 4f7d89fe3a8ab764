"""What the tables have in common: their types and where they are listed."""

from datetime import datetime, timezone

from sqlalchemy import JSON, DateTime, Dialect, MetaData, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no offset, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its offset."""
        return value.replace(tzinfo=timezone.utc) if value is not None and value.tzinfo is None else value


JsonText = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON that is written as ready text (the engine's serializer passes it on) and read as objects."""

metadata = MetaData()
