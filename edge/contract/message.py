"""What every message on the wire has in common.

Evolution: a new field has a default, an unknown field is accepted and dropped, and an unknown value of an enumeration
reads as ``None``; so each side may be upgraded first.
"""

from datetime import datetime, timezone
from enum import Enum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SCHEMA = 1
"""Version of the messages that this release writes."""

E = TypeVar("E", bound=Enum)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(f"{moment} lies outside of the calendar in UTC") from error


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with its offset, held in UTC. A naive time is refused."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""A site, device, camera or plot: one level of an MQTT topic, safe in a file name and a URL."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
"""Content digest."""

Epoch = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""Names one numbering of a device's records; born with the database file."""

Seq = Annotated[int, Field(ge=1, le=2**53)]
"""Place of a record in its epoch: 1, 2, 3 … (2**53 is the largest integer that JSON carries everywhere)."""


Count = Annotated[int, Field(ge=0, le=2**53)]
"""A whole number that every store and every reader of JSON can hold."""

Text = Annotated[str, Field(max_length=4_000)]
"""What a person reads."""

Label = Annotated[str, Field(max_length=256)]
"""A version, a machine's name, the name of a sensor."""


def open_enum(kind: type[E]) -> BeforeValidator:
    """Read a value of ``kind`` that this release does not know as ``None``."""

    def known_or_none(value: Any) -> Any:
        if value is None or isinstance(value, kind):
            return value
        try:
            return kind(value)
        except ValueError:
            return None

    return BeforeValidator(known_or_none)


class Wire(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Message(Wire):
    """A whole MQTT payload: UTF-8 JSON with the version of its schema."""

    schema_version: int = Field(SCHEMA, alias="schema", ge=1, le=2**31)

    model_config = ConfigDict(populate_by_name=True)

    def encode(self) -> bytes:
        """The payload to publish."""
        return self.model_dump_json(by_alias=True, exclude_defaults=False).encode()


class Entry(Wire):
    """A numbered place in a device's stream; subclasses add the ``record`` that stands there.

    An entry stands for every number from ``first_seq`` to ``seq``; without ``first_seq``, for ``seq`` alone. Only a gap
    stands for several.
    """

    seq: Seq
    first_seq: Seq | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Entry":
        if self.first_seq is not None and self.first_seq > self.seq:
            raise ValueError(f"first_seq {self.first_seq} lies above seq {self.seq}")
        return self

    @property
    def span(self) -> tuple[int, int]:
        """First and last number that this entry stands for."""
        return (self.seq if self.first_seq is None else self.first_seq, self.seq)
