"""What the tables have in common: their types and where they are listed."""

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Double, MetaData, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no offset, so it is taken off on writing and put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """In UTC."""
        return value.astimezone(timezone.utc) if value is not None and value.tzinfo is not None else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its offset."""
        return value.replace(tzinfo=timezone.utc) if value is not None and value.tzinfo is None else value


class Numbers(TypeDecorator[Sequence[float | None]]):
    """A few numbers in a row, some of which may be missing: an array, in SQLite as JSON text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Arrays, where there are any."""
        return dialect.type_descriptor(ARRAY(Double) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[float | None] | None, dialect: Dialect) -> Any:
        """As the database takes it."""
        if value is None or dialect.name == "postgresql":
            return value
        return json.dumps(value, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Sequence[float | None] | None:
        """As it was given."""
        if value is None or dialect.name == "postgresql":
            return value  # type: ignore[no-any-return]
        return json.loads(value)  # type: ignore[no-any-return]


JsonText = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON that is written as ready text (the engine's serializer passes it on) and read as objects."""

metadata = MetaData()
