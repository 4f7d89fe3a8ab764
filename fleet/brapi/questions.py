"""The questions that breeders' tools ask, put to the store."""
# ruff: noqa: N803 - the specification names the parameters

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query
from sqlalchemy import Connection, Select, false, func, select

from fleet import schema
from fleet.api.asking import Moment, Scope, in_utc
from fleet.brapi.envelope import Paging, rows_of
from fleet.questions.readings import CROP, Selection, narrowed
from fleet.questions.variables import kind_ids

Row = dict[str, Any]
DbId = Annotated[str | None, Query(max_length=512)]


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of the fleet: what a ``DbId`` of a site, a study or a unit names; ``None`` does not matter."""

    site: str | None = None
    device: str | None = None
    camera: str | None = None
    plot: str | None = None
    crop: str | None = None
    nowhere: bool = False

    def also(self, **names: str | None) -> "Place":
        """Both this and those; two that differ are nowhere."""
        given = {name: value for name, value in names.items() if value is not None}
        here = {name: getattr(self, name) for name in ("site", "device", "camera", "plot", "crop")}
        clash = any(here[name] not in {None, value} for name, value in given.items())
        return Place(**{**here, **given}, nowhere=self.nowhere or clash)


def _place(
    programDbId: DbId = None, trialDbId: DbId = None, locationDbId: DbId = None, studyDbId: DbId = None,
    observationUnitDbId: DbId = None, commonCropName: DbId = None, observationUnitLevelName: DbId = None,
    germplasmDbId: DbId = None, externalReferenceId: DbId = None, externalReferenceID: DbId = None,
    externalReferenceSource: DbId = None,
) -> Place:  # fmt: skip
    """From the names that the specification gives to filters. Nothing here has germplasm or foreign references."""
    found = Place(crop=commonCropName)
    for site in (programDbId, trialDbId, locationDbId):
        found = found.also(site=site)
    for parts in (_parts(studyDbId, 3), _parts(observationUnitDbId, 4)):
        found = found.also(**dict(zip(("site", "device", "camera", "plot"), parts, strict=False)))
    strangers = (germplasmDbId, externalReferenceId, externalReferenceID, externalReferenceSource)
    other_level = observationUnitLevelName not in {None, "plot"}
    nowhere = other_level or any(one is not None for one in strangers)
    return Place(found.site, found.device, found.camera, found.plot, found.crop, nowhere or found.nowhere)


Placed = Annotated[Place, Depends(_place)]


def _parts(db_id: str | None, count: int) -> list[str]:
    """The names in a ``DbId``; one that is made otherwise names nothing that there is."""
    parts = db_id.split(":") if db_id is not None else []
    return parts if len(parts) in {0, count} else ["\n"] * count


def studies(connection: Connection, scope: Scope, place: Place, paging: Paging) -> tuple[list[Row], int]:
    """Cameras, with when a plot of theirs was seen first and last."""
    devices, cameras, plots, table = schema.devices, schema.cameras, schema.plots, schema.observations
    oldest = select(func.min(table.c.taken_at)).where(table.c.plot_id == plots.c.id).scalar_subquery()
    ends = (func.min(oldest).label("first_taken_at"), func.max(plots.c.taken_at).label("last_taken_at"))
    columns = (devices.c.site, devices.c.device, cameras.c.name.label("camera"), cameras.c.crop)
    query = select(*columns, *ends).select_from(
        cameras.join(devices).outerjoin(plots, plots.c.camera_id == cameras.c.id)
    )
    query = query.group_by(cameras.c.id, *columns)
    order = (devices.c.site, devices.c.device, cameras.c.name)
    found, total = rows_of(connection, _within(query, scope, place, plots=False), order, paging)
    return [dict(row) for row in found], total


def units(connection: Connection, scope: Scope, place: Place, paging: Paging) -> tuple[list[Row], int]:
    """Plots."""
    devices, cameras, plots = schema.devices, schema.cameras, schema.plots
    names = (devices.c.site, devices.c.device, cameras.c.name.label("camera"), plots.c.name.label("plot"))
    joined = plots.join(cameras).join(devices, devices.c.id == cameras.c.device_id)
    query = select(*names, CROP.label("crop")).select_from(joined)
    order = (devices.c.site, devices.c.device, cameras.c.name, plots.c.name)
    found, total = rows_of(connection, _within(query, scope, place), order, paging)
    return [dict(row) for row in found], total


def sites(connection: Connection, scope: Scope) -> list[str]:
    """Every site that anything was heard of."""
    table = schema.devices
    query = select(table.c.site).distinct().where(*scope.within(table.c.site)).order_by(table.c.site)
    return list(connection.execute(query).scalars())


def crops(connection: Connection, scope: Scope) -> list[str]:
    """What grows anywhere."""
    devices, cameras, plots = schema.devices, schema.cameras, schema.plots
    joined = plots.join(cameras).join(devices, devices.c.id == cameras.c.device_id)
    query = select(CROP).distinct().select_from(joined).where(CROP.is_not(None), *scope.within(devices.c.site))
    return sorted(connection.execute(query).scalars())


def years(connection: Connection, scope: Scope) -> list[int]:
    """From the first to the last in which anything was received."""
    table, streams, devices = schema.hours, schema.streams, schema.devices
    ends = select(func.min(table.c.hour), func.max(table.c.hour))
    ends = ends.select_from(table.join(streams).join(devices)).where(*scope.within(devices.c.site))
    first, last = connection.execute(ends).one()
    return [] if first is None else list(range(first.year, last.year + 1))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which values."""

    variable: str | None
    since: datetime | None
    until: datetime | None


def _wanted(
    observationVariableDbId: DbId = None,
    observationTimeStampRangeStart: Annotated[Moment | None, Query()] = None,
    observationTimeStampRangeEnd: Annotated[Moment | None, Query()] = None,
    seasonDbId: Annotated[str | None, Query(max_length=64)] = None,
) -> Wanted:
    """By variable and time; a season is a year."""
    since, until = in_utc(observationTimeStampRangeStart), in_utc(observationTimeStampRangeEnd)
    if seasonDbId is not None:
        begin, end = _year(seasonDbId)
        since, until = max(begin, since or begin), min(end, until or end)
    return Wanted(observationVariableDbId, since, until)


WantedValues = Annotated[Wanted, Depends(_wanted)]


def _year(season: str) -> tuple[datetime, datetime]:
    if not (season.isascii() and season.isdecimal() and 1970 <= int(season[:5]) <= 9998):
        raise HTTPException(400, f"a season is a year here, as 2026; not {season[:20]!r}")
    begin, end = (datetime.fromisoformat(f"{year}-01-01T00:00:00+00:00") for year in (int(season), int(season) + 1))
    return begin, end


def values(
    connection: Connection, scope: Scope, place: Place, wanted: Wanted, more: tuple[Any, ...] = ()
) -> Select[Any]:
    """The query for the values, with what a ``DbId`` of one needs."""
    names = (place.site, place.device, place.camera, place.plot, place.crop)
    selection = Selection(*names, since=wanted.since, until=wanted.until)
    streams, observations = schema.streams, schema.observations
    query = narrowed(connection, selection).add_columns(streams.c.epoch)
    query = query.join(streams, streams.c.id == observations.c.stream_id)
    if wanted.variable is not None:
        query = query.where(schema.kinds.c.id.in_(kind_ids(connection, wanted.variable)))
    return query.where(*scope.within(schema.devices.c.site), *([false()] if place.nowhere else []), *more)


ORDER = (
    schema.observations.c.taken_at,
    schema.observations.c.stream_id,
    schema.observations.c.seq,
    schema.trait_set_members.c.position,
)
"""In which values come."""


def kinds_in(connection: Connection, scope: Scope, place: Place) -> set[int]:
    """The kinds of values that a study's plots have: of their days, and of what was seen last."""
    devices, cameras, plots, table = schema.devices, schema.cameras, schema.plots, schema.observations
    joined = plots.join(cameras).join(devices, devices.c.id == cameras.c.device_id)
    ids = _within(select(plots.c.id).select_from(joined), scope, place)
    days = select(schema.daily.c.kind_id).distinct().where(schema.daily.c.plot_id.in_(ids))
    newest = (table.c.stream_id == plots.c.stream_id, table.c.seq == plots.c.seq, table.c.taken_at == plots.c.taken_at)
    sets = select(table.c.trait_set_id).join_from(table, plots, newest[0] & newest[1] & newest[2])
    members = schema.trait_set_members
    last = select(members.c.kind_id).where(members.c.trait_set_id.in_(sets.where(plots.c.id.in_(ids))))
    return {*connection.execute(days).scalars(), *connection.execute(last).scalars()}


def _within(query: Select[Any], scope: Scope, place: Place, *, plots: bool = True) -> Select[Any]:
    columns = [
        (schema.devices.c.site, place.site), (schema.devices.c.device, place.device),
        (schema.cameras.c.name, place.camera), (schema.plots.c.name, place.plot),
        (CROP if plots else schema.cameras.c.crop, place.crop),
    ]  # fmt: skip
    query = query.where(*scope.within(schema.devices.c.site), *([false()] if place.nowhere else []))
    return query.where(*(column == name for column, name in columns if name is not None))
