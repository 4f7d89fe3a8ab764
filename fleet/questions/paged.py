"""Lists of the store, a page at a time: each in an order that never changes under the reader, from a place on.

A place is the key of the last row seen, so a page costs the same however far in it lies, and what arrives meanwhile
neither doubles nor hides a row.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, false, literal, select, tuple_

from fleet import schema
from fleet.questions.observed import documents, observed
from fleet.questions.readings import CROP, Selection, plots_of

Conditions = Iterable[ColumnElement[bool]]
Document = dict[str, Any]

_TABLE = schema.observations.c

DevicePlace = tuple[str, str]
CameraPlace = tuple[str, str, str]
PlotPlace = tuple[str, str, str, str]
ObservationPlace = tuple[datetime, int, int]
LatestPlace = tuple[str, str]
EventPlace = tuple[datetime, int, int]
GapPlace = tuple[int, int, int]
RolloutPlace = tuple[datetime, str]
PastPlace = tuple[datetime, int]


def devices(connection: Connection, conditions: Conditions, after: DevicePlace | None, limit: int) -> list[Document]:
    """Devices by site and name."""
    table = schema.devices
    return _rows(connection, select(table).where(*conditions), (table.c.site, table.c.device), after, limit)


def cameras(connection: Connection, conditions: Conditions, after: CameraPlace | None, limit: int) -> list[Document]:
    """Cameras by site, device and name: those that anything was measured with."""
    table, owners = schema.cameras, schema.devices
    query = select(owners.c.site, owners.c.device, table.c.name.label("camera"), table.c.crop)
    order = (owners.c.site, owners.c.device, table.c.name)
    return _rows(connection, query.join_from(table, owners).where(*conditions), order, after, limit)


def plots(connection: Connection, conditions: Conditions, after: PlotPlace | None, limit: int) -> list[Document]:
    """Plots by site, device, camera and name, each with what grows there."""
    table, seen, owners = schema.plots, schema.cameras, schema.devices
    query = select(
        table.c.id,
        owners.c.site,
        owners.c.device,
        seen.c.name.label("camera"),
        table.c.name.label("plot"),
        CROP.label("crop"),
        table.c.taken_at.label("last_taken_at"),
    )
    order = (owners.c.site, owners.c.device, seen.c.name, table.c.name)
    return _rows(connection, query.join_from(table, seen).join(owners).where(*conditions), order, after, limit)


def observations(
    connection: Connection,
    conditions: Conditions,
    after: ObservationPlace | None,
    limit: int,
    *,
    newest_first: bool = True,
) -> list[Document]:
    """Observations with their traits, in the order in which they were taken."""
    table = schema.observations
    order = (table.c.taken_at, table.c.stream_id, table.c.seq)
    query = _from(fleet_wide().where(*conditions), order, after, newest_first=newest_first)
    return documents(connection, query.limit(limit))


def latest(connection: Connection, device_id: int, after: LatestPlace | None, limit: int) -> list[Document]:
    """The newest observation of each plot of a device, by camera and plot."""
    table, plots, seen = schema.observations.c, schema.plots.c, schema.cameras.c
    newest = (table.stream_id == plots.stream_id, table.seq == plots.seq, table.taken_at == plots.taken_at)
    query = fleet_wide().where(seen.device_id == device_id, *newest)
    return documents(connection, _from(query, (seen.name, plots.name), after, newest_first=False).limit(limit))


def fleet_wide() -> Select[Any]:
    """The query that ``documents`` reads, with the site, the device, the crop and the numbering of each."""
    table, streams, owners = schema.observations, schema.streams, schema.devices
    query = observed().add_columns(
        table.c.stream_id, streams.c.epoch, owners.c.site, owners.c.device, CROP.label("crop")
    )
    return query.join(streams, streams.c.id == table.c.stream_id).join(owners, owners.c.id == streams.c.device_id)


def of_plots(connection: Connection, selection: Selection) -> list[ColumnElement[bool]]:
    """The condition that an observation is of one of these plots; none if every plot is meant."""
    return [_one_of(_TABLE.plot_id, plots_of(connection, selection))] if selection.names_places else []


def made_by(connection: Connection, digest: str | None) -> list[ColumnElement[bool]]:
    """The condition that an observation was made by this model; none without one.

    By number, so that nobody searches every observation for a model that made none.
    """
    query = select(schema.digests.c.id).where(schema.digests.c.digest == digest)
    return [] if digest is None else [_one_of(_TABLE.model_id, connection.execute(query).scalars().all())]


def holding(connection: Connection, trait: str | None) -> list[ColumnElement[bool]]:
    """The condition that an observation holds this trait; none without one."""
    members, kinds = schema.trait_set_members, schema.kinds
    query = select(members.c.trait_set_id).join_from(members, kinds).where(kinds.c.trait == trait)
    return [] if trait is None else [_one_of(_TABLE.trait_set_id, connection.execute(query).scalars().all())]


def events(connection: Connection, conditions: Conditions, after: EventPlace | None, limit: int) -> list[Document]:
    """Events, the newest first."""
    table, streams, owners = schema.events, schema.streams, schema.devices
    query = select(table, streams.c.epoch, owners.c.site, owners.c.device).join_from(table, streams).join(owners)
    order = (table.c.happened_at, table.c.stream_id, table.c.seq)
    return _rows(connection, query.where(*conditions), order, after, limit, newest_first=True)


def gaps(connection: Connection, conditions: Conditions, after: GapPlace | None, limit: int) -> list[Document]:
    """Runs of records that devices had to drop, by numbering and number."""
    table, streams, owners = schema.gaps, schema.streams, schema.devices
    query = select(table, streams.c.epoch, owners.c.site, owners.c.device).join_from(table, streams).join(owners)
    order = (table.c.stream_id, table.c.first_seq, table.c.last_seq)
    return _rows(connection, query.where(*conditions), order, after, limit)


def drift_windows(
    connection: Connection, conditions: Conditions, after: EventPlace | None, limit: int
) -> list[Document]:
    """Drift windows, those that ended last first."""
    table, streams, owners = schema.drift_windows, schema.streams, schema.devices
    query = select(table, streams.c.epoch, owners.c.site, owners.c.device).join_from(table, streams).join(owners)
    query = query.join(schema.cameras, table.c.camera_id == schema.cameras.c.id)
    order = (table.c.until, table.c.stream_id, table.c.seq)
    return _rows(connection, query.where(*conditions), order, after, limit, newest_first=True)


def drift_labels(connection: Connection, conditions: Conditions, after: int | None, limit: int) -> list[Document]:
    """What people said of changes, the newest first."""
    table, cameras, owners = schema.drift_labels, schema.cameras, schema.devices
    joined = table.outerjoin(cameras, table.c.camera_id == cameras.c.id).outerjoin(owners)
    query = select(table, owners.c.device, cameras.c.name.label("camera")).select_from(joined).where(*conditions)
    return _rows(connection, query, (table.c.id,), None if after is None else (after,), limit, newest_first=True)


def past_alerts(connection: Connection, conditions: Conditions, after: PastPlace | None, limit: int) -> list[Document]:
    """Alerts that are over, those that ended last first."""
    table = schema.past_alerts
    order = (table.c.cleared_at, table.c.id)
    return _rows(connection, select(table).where(*conditions), order, after, limit, newest_first=True)


def rollouts(connection: Connection, after: RolloutPlace | None, limit: int) -> list[Document]:
    """Names of rollouts, the newest first."""
    table = schema.rollouts
    query = select(table.c.id, table.c.created_at)
    return _rows(connection, query, (table.c.created_at, table.c.id), after, limit, newest_first=True)


def _one_of(column: Column[Any], numbers: Any) -> ColumnElement[bool]:
    """Without any number, a condition of which the database sees that it has nothing to look at."""
    return false() if isinstance(numbers, Sequence) and not numbers else column.in_(numbers)


def _rows(
    connection: Connection,
    query: Select[Any],
    order: Sequence[Column[Any]],
    after: Sequence[Any] | None,
    limit: int,
    *,
    newest_first: bool = False,
) -> list[Document]:
    query = _from(query, order, after, newest_first=newest_first)
    return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]


def _from(
    query: Select[Any], order: Sequence[Column[Any]], after: Sequence[Any] | None, *, newest_first: bool
) -> Select[Any]:
    if after is not None:
        place = tuple_(*(literal(value, column.type) for value, column in zip(after, order, strict=True)))
        query = query.where(tuple_(*order) < place if newest_first else tuple_(*order) > place)
    return query.order_by(*(column.desc() if newest_first else column for column in order))
