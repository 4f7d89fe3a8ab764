"""Every reading, one value a row, page by page: for the API, the exports and breeders' tools."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from sqlalchemy import Connection, Select, and_, func, literal, or_, select, tuple_

from edge.contract.message import Instant
from fleet import schema
from fleet.errors import BadCursor
from fleet.questions.observed import Document
from fleet.questions.values import DEVIATION, VALUE, trait_values

MAX_PAGE = 10_000
_Number = Annotated[int, Field(ge=0, lt=2**63)]
_CURSOR = TypeAdapter(tuple[Instant, _Number, _Number, _Number])
_MAX_PLOTS = 1_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which readings; what is ``None`` does not matter. ``model`` is a digest; ``since`` is within, ``until`` not."""

    site: str | None = None
    device: str | None = None
    camera: str | None = None
    plot: str | None = None
    crop: str | None = None
    trait: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def names_places(self) -> bool:
        """Whether not every plot is meant."""
        return any(name is not None for name in (self.site, self.device, self.camera, self.plot, self.crop))


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last reading of a page; the next page begins behind it, whatever has arrived in between."""

    taken_at: datetime
    stream_id: int
    seq: int
    position: int

    def __str__(self) -> str:
        parts = [self.taken_at.isoformat(), self.stream_id, self.seq, self.position]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read one that was given out.

        Raises:
            BadCursor: it was not.
        """
        try:
            return cls(*_CURSOR.validate_json(base64.urlsafe_b64decode(text[:256] + "=" * (-len(text[:256]) % 4))))
        except ValueError as error:
            raise BadCursor(f"{text!r:.80} is no cursor; begin without one, and pass on what an answer gave") from error


def page_of_readings(
    connection: Connection, selection: Selection, after: Cursor | None = None, limit: int = 1_000
) -> tuple[list[Document], Cursor | None]:
    """Readings in the order in which they were taken, at most ``limit`` of them; and the cursor, if there are more.

    A row has site, device, camera, plot, crop, trait, unit, method, value, uncertainty, taken_at, clock_ok, outcome,
    model (digest), and stream_id, seq and position, which together name it for ever.
    """
    limit = min(max(limit, 1), MAX_PAGE)
    query = narrowed(connection, selection)
    if after is not None:
        query = query.where(_behind(after))
    order = (*_PLACE, schema.trait_set_members.c.position)
    found = [dict(row) for row in connection.execute(query.order_by(*order).limit(limit + 1)).mappings()]
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], Cursor(last["taken_at"], last["stream_id"], last["seq"], last["position"])


def every_reading(connection: Connection, selection: Selection, at_once: int = MAX_PAGE) -> Iterator[list[Document]]:
    """All pages, one after another; each is read when it is asked for."""
    after: Cursor | None = None
    while True:
        page, after = page_of_readings(connection, selection, after, at_once)
        if page:
            yield page
        if after is None:
            return


_OBSERVATIONS = schema.observations.c
_PLACE = (_OBSERVATIONS.taken_at, _OBSERVATIONS.stream_id, _OBSERVATIONS.seq)
CROP = func.coalesce(schema.plots.c.crop, schema.cameras.c.crop)
"""What grows on a plot: its own crop, or that of its camera; in a query that joins both."""


def narrowed(connection: Connection, selection: Selection) -> Select[Any]:
    """The query for the readings of a selection, in no order yet; who asks otherwise than by cursors goes on here."""
    kinds, digests = schema.kinds, schema.digests
    query = _readings()
    if selection.names_places:
        query = query.where(_OBSERVATIONS.plot_id.in_(plots_of(connection, selection)))
    for condition in (
        kinds.c.trait == selection.trait if selection.trait is not None else None,
        digests.c.digest == selection.model if selection.model is not None else None,
        _OBSERVATIONS.taken_at >= selection.since if selection.since is not None else None,
        _OBSERVATIONS.taken_at < selection.until if selection.until is not None else None,
    ):
        query = query if condition is None else query.where(condition)
    return query


def plots_of(connection: Connection, selection: Selection) -> Any:
    """The plots that are meant: by number if they are few, so that their index is used."""
    devices, cameras, plots = schema.devices.c, schema.cameras.c, schema.plots.c
    wanted = (
        (devices.site, selection.site),
        (devices.device, selection.device),
        (cameras.name, selection.camera),
        (plots.name, selection.plot),
        (CROP, selection.crop),
    )
    joined = schema.plots.join(schema.cameras).join(schema.devices, devices.id == cameras.device_id)
    conditions = [column == name for column, name in wanted if name is not None]
    query = select(plots.id).select_from(joined).where(*conditions)
    found = list(connection.execute(query.limit(_MAX_PLOTS + 1)).scalars())
    return found if len(found) <= _MAX_PLOTS else query


def _readings() -> Select[Any]:
    devices, cameras, plots, digests = schema.devices, schema.cameras, schema.plots, schema.digests
    kinds, members = schema.kinds, schema.trait_set_members
    named = (devices.c.site, devices.c.device, cameras.c.name.label("camera"), plots.c.name.label("plot"))
    valued = (kinds.c.trait, kinds.c.unit, kinds.c.method, VALUE, DEVIATION)
    told = (_OBSERVATIONS.clock_ok, _OBSERVATIONS.outcome, digests.c.digest.label("model"))
    query = trait_values(*named, CROP.label("crop"), *valued, *_PLACE, members.c.position, *told)
    return (
        query.join(plots, plots.c.id == _OBSERVATIONS.plot_id)
        .join(cameras, cameras.c.id == plots.c.camera_id)
        .join(devices, devices.c.id == cameras.c.device_id)
        .outerjoin(digests, digests.c.id == _OBSERVATIONS.model_id)
    )


def _behind(after: Cursor) -> Any:
    """Rows compare as wholes, so that the index finds the first; the position decides within an observation."""
    here = tuple_(*_PLACE)
    there = tuple_(literal(after.taken_at, schema.Moment()), literal(after.stream_id), literal(after.seq))
    return and_(here >= there, or_(here > there, schema.trait_set_members.c.position > after.position))
