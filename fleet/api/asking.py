"""What every question shares: a look at the store, what the asker may see, pages, names and times."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field
from sqlalchemy import ColumnElement, Connection

from edge.contract.message import Name
from fleet.access import Principal, Role, requires
from fleet.api.cursors import Cursor
from fleet.store import Store

MAX_LIMIT = 1_000
MAX_RANGE_DAYS = 366
DEFAULT_RANGE_DAYS = 7
EARLIEST = datetime(1970, 1, 1, tzinfo=timezone.utc)
LATEST = datetime(9999, 1, 1, tzinfo=timezone.utc)

T = TypeVar("T")


def store_of(request: Request) -> Store:
    """The store behind the application."""
    found: Store = request.app.state.store
    return found


def _reading(request: Request) -> Iterator[Connection]:
    with store_of(request).reading() as connection:
        yield connection


Reading = Annotated[Connection, Depends(_reading)]
"""One consistent look at the store."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which sites the asker may see; ``None``: all. What lies outside does not exist for them."""

    sites: frozenset[str] | None

    def admits(self, site: str) -> bool:
        """Whether anything of this site may be shown."""
        return self.sites is None or site in self.sites

    def within(self, column: Any) -> list[ColumnElement[bool]]:
        """The conditions that keep a query inside."""
        return [] if self.sites is None else [column.in_(sorted(self.sites))]


def _scope(principal: Annotated[Principal, requires(Role.VIEWER)]) -> Scope:
    return Scope(getattr(principal, "sites", None))


Seen = Annotated[Scope, Depends(_scope)]


def _whole_fleet(scope: Seen) -> None:
    if scope.sites is not None:
        raise HTTPException(403, f"this is of the whole fleet; you may see the sites {', '.join(sorted(scope.sites))}")


WholeFleet = Depends(_whole_fleet)
"""The dependency of a route that speaks of every site at once."""


class Page(BaseModel, Generic[T]):
    """Some of a list, and where it goes on."""

    items: list[T]
    next: str | None = Field(description="Give it as `after` for the next page; null: this is the last one.")


Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="At most so many items.")]


def _written(moment: Any) -> Any:
    """Seconds since 1970 say no offset, and a year is easily taken for them."""
    if isinstance(moment, str) and moment.strip("+-.eE0123456789") == "" and "-" not in moment[1:]:
        raise ValueError("write it as 2026-06-01T00:00:00Z")
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_written), Field(ge=EARLIEST, le=LATEST)]
"""A moment with its offset."""

Since = Annotated[Moment | None, Query(description="From this moment on.", examples=["2026-06-01T00:00:00Z"])]
Until = Annotated[Moment | None, Query(description="Before this moment.", examples=["2026-06-08T00:00:00Z"])]

SiteOf = Annotated[Name, Path(examples=["north"])]
DeviceOf = Annotated[Name, Path(examples=["bench-1"])]
CameraOf = Annotated[Name, Path(examples=["top"])]
PlotOf = Annotated[Name, Path(examples=["R1C3"])]


def page_of(rows: Sequence[T], limit: int, cursor: Cursor, place: Callable[[T], Any]) -> Page[T]:
    """A page of ``limit`` items out of as many rows, or one more if there is more."""
    word = cursor.write(place(rows[limit - 1])) if len(rows) > limit else None
    return Page(items=list(rows[:limit]), next=word)


@dataclass(frozen=True, slots=True)
class Period:
    """A time that is bounded at both ends, in UTC."""

    since: datetime
    until: datetime


def _period(since: Since = None, until: Until = None) -> Period:
    """The last days, unless it is said which; never more than ``MAX_RANGE_DAYS``."""
    end = until.astimezone(timezone.utc) if until else datetime.now(timezone.utc)
    begin = since.astimezone(timezone.utc) if since else max(EARLIEST, end - timedelta(days=DEFAULT_RANGE_DAYS))
    if begin >= end:
        raise HTTPException(422, f"since {begin.isoformat()} is not before until {end.isoformat()}")
    if end - begin > timedelta(days=MAX_RANGE_DAYS):
        raise HTTPException(
            422, f"{(end - begin).days} days are more than {MAX_RANGE_DAYS}; ask in parts, or use canopy-fleet export"
        )
    return Period(begin, end)


Asked = Annotated[Period, Depends(_period)]


def in_utc(moment: datetime | None) -> datetime | None:
    """The same moment, as the store has it."""
    return moment and moment.astimezone(timezone.utc)


def narrowed(scope: Scope, site: Any, *wishes: tuple[Any, Callable[[Any, Any], Any], Any]) -> list[ColumnElement[bool]]:
    """Conditions for what the asker may see, at ``site``, and for what they wish: (column, operator, value or None)."""
    return scope.within(site) + [compare(column, value) for column, compare, value in wishes if value is not None]
