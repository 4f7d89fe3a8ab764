"""BrAPI's endpoints as an application of its own, which the service mounts at ``/brapi/v2``."""
# ruff: noqa: N803 - the specification names the parameters

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, HTTPException, Query, Request, Response

from fleet import schema
from fleet.access import Role, requires
from fleet.api.asking import Reading, Scope, Seen
from fleet.api.caching import Revalidated
from fleet.brapi import documents, questions
from fleet.brapi.envelope import Document, Paged, Paging, add_errors, cut, page_of, rows_of, single
from fleet.brapi.questions import DbId, Place, Placed, WantedValues
from fleet.brapi.table import as_json, as_text, table
from fleet.questions.variables import Variable, known_variables, vocabulary
from fleet.store import Store

PREFIX = "/brapi/v2"
VERSION = "2.1"
MAX_TABLE = 100_000
"""Values in a table, which has no pages."""

router = APIRouter(route_class=Revalidated, dependencies=[requires(Role.VIEWER)])
_ONE = Paging(0, 1)


def create_brapi(store: Store) -> FastAPI:
    """BrAPI over a store; read-only."""
    app = FastAPI(title="Canopy BrAPI", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.store = store
    add_errors(app)
    app.include_router(router)
    return app


@router.get("/serverinfo")
def serverinfo(request: Request) -> Document:
    """What this server can be asked."""
    calls = [
        {
            "service": route.path.lstrip("/"),
            "contentTypes": ["application/json", *(("text/csv", "text/tsv") if "table" in route.path else ())],
            "dataTypes": ["application/json"],
            "methods": ["GET"],
            "versions": [VERSION],
        }
        for route in router.routes
        if hasattr(route, "path")
    ]
    return single(
        {
            "serverName": "Canopy fleet",
            "serverDescription": f"Traits that cameras measure in greenhouses; canopy-edge {version('canopy-edge')}",
            "documentationURL": str(request.base_url) + "api/v1/docs",
            "calls": calls,
        }
    )


# --- where


@router.get("/commoncropnames")
def commoncropnames(connection: Reading, scope: Seen, paging: Paged) -> Document:
    """What grows in the fleet."""
    whole: Any = questions.crops(connection, scope)
    return cut(paging, whole)


@router.get("/programs")
def programs(connection: Reading, scope: Seen, place: Placed, paging: Paged) -> Document:
    """A site is a program."""
    found = _sites(connection, scope, place)
    return cut(paging, [{"programDbId": site, "programName": site, "programType": "STANDARD"} for site in found])


@router.get("/trials")
def trials(connection: Reading, scope: Seen, place: Placed, paging: Paged) -> Document:
    """A site is a trial too: what is measured there."""
    return cut(paging, [_trial(site) for site in _sites(connection, scope, place)])


@router.get("/trials/{trialDbId}")
def trial(connection: Reading, scope: Seen, trialDbId: str) -> Document:
    """One trial."""
    return single(_trial(_one_site(connection, scope, trialDbId)))


@router.get("/locations")
def locations(connection: Reading, scope: Seen, place: Placed, paging: Paged) -> Document:
    """And a location."""
    return cut(paging, [_location(site) for site in _sites(connection, scope, place)])


@router.get("/locations/{locationDbId}")
def location(connection: Reading, scope: Seen, locationDbId: str) -> Document:
    """One location."""
    return single(_location(_one_site(connection, scope, locationDbId)))


@router.get("/studies")
def studies(connection: Reading, scope: Seen, place: Placed, paging: Paged) -> Document:
    """A camera is a study."""
    found, total = questions.studies(connection, scope, place, paging)
    return page_of(paging, [documents.study(row) for row in found], total)


@router.get("/studies/{studyDbId}")
def study(connection: Reading, scope: Seen, studyDbId: str) -> Document:
    """One study."""
    here = _parsed(studyDbId, "site", "device", "camera")
    found, _ = questions.studies(connection, scope, here, _ONE)
    return single(documents.study(_only(found, "study", studyDbId)))


@router.get("/observationlevels")
def observationlevels(paging: Paged) -> Document:
    """A plot in a study."""
    return cut(paging, documents.LEVELS)


@router.get("/observationunits")
def observationunits(
    connection: Reading, scope: Seen, place: Placed, paging: Paged, observationUnitName: DbId = None
) -> Document:
    """A plot is an observation unit."""
    found, total = questions.units(connection, scope, place.also(plot=observationUnitName), paging)
    return page_of(paging, [documents.unit(row) for row in found], total)


@router.get("/observationunits/{observationUnitDbId}")
def observationunit(connection: Reading, scope: Seen, observationUnitDbId: str) -> Document:
    """One observation unit."""
    here = _parsed(observationUnitDbId, "site", "device", "camera", "plot")
    found, _ = questions.units(connection, scope, here, _ONE)
    return single(documents.unit(_only(found, "observation unit", observationUnitDbId)))


# --- what


@router.get("/variables")
def variables(
    connection: Reading, scope: Seen, place: Placed, paging: Paged,
    observationVariableDbId: DbId = None, observationVariableName: DbId = None, traitDbId: DbId = None,
    methodDbId: DbId = None, scaleDbId: DbId = None, studyDbId: DbId = None, trialDbId: DbId = None,
) -> Document:  # fmt: skip
    """The variables; with a study or a trial, those that its plots have."""
    found = _variables(connection, scope)
    if studyDbId is not None or trialDbId is not None:
        kinds = questions.kinds_in(connection, scope, place)
        rows = connection.execute(schema.kinds.select().where(schema.kinds.c.id.in_(kinds)))
        found = list(dict.fromkeys(Variable(row.trait, row.unit, row.method) for row in rows))
    wishes = (
        ("id", observationVariableDbId), ("name", observationVariableName), ("trait_name", traitDbId),
        ("method_id", methodDbId), ("scale_id", scaleDbId),
    )  # fmt: skip
    for name, wish in wishes:
        found = [one for one in found if wish in {None, getattr(one, name)}]
    return cut(paging, [documents.variable(one) for one in found])


@router.get("/variables/{observationVariableDbId}")
def variable(connection: Reading, scope: Seen, observationVariableDbId: str) -> Document:
    """One variable."""
    return single(_part(_variables(connection, scope), lambda one: one.id, observationVariableDbId, documents.variable))


def _list_of(kind: str, name: Callable[[Variable], str], draw: Callable[[Variable], Document]) -> None:
    """The parts of variables, each once, as a list and one by one."""

    def every(connection: Reading, scope: Seen, paging: Paged) -> Document:
        found = {name(one): one for one in reversed(_variables(connection, scope))}
        return cut(paging, [draw(one) for one in reversed(found.values())])

    def one(connection: Reading, scope: Seen, db_id: str) -> Document:
        return single(_part(_variables(connection, scope), name, db_id, draw))

    router.add_api_route(f"/{kind}", every)
    router.add_api_route(f"/{kind}/{{db_id}}", one)


_list_of("traits", lambda one: one.trait_name, documents.trait)
_list_of("methods", lambda one: one.method_id, documents.method)
_list_of("scales", lambda one: one.scale_id, documents.scale)


# --- values


@router.get("/observations")
def observations(
    connection: Reading, scope: Seen, place: Placed, wanted: WantedValues, paging: Paged, observationDbId: DbId = None
) -> Document:
    """The values, the oldest first. BrAPI has no observation without a value: `/api/v1/observations` has those."""
    if observationDbId is not None:
        found, total = _by_id(connection, scope, observationDbId)
    else:
        query = questions.values(connection, scope, place, wanted)
        found, total = rows_of(connection, query, questions.ORDER, paging)
    return page_of(paging, [documents.observation(row) for row in found], total)


@router.get("/observations/table", response_model=None)
def observations_table(
    connection: Reading, scope: Seen, place: Placed, wanted: WantedValues, accept: Annotated[str, Header()] = ""
) -> Document | Response:
    """The values of units over time as a table."""
    query = questions.values(connection, scope, place, wanted).order_by(*questions.ORDER)
    rows = [dict(row) for row in connection.execute(query.limit(MAX_TABLE + 1)).mappings()]
    if len(rows) > MAX_TABLE:
        raise HTTPException(400, f"more than {MAX_TABLE} values; narrow it by study, unit, variable or time")
    found, lines = table(rows)
    for kind, delimiter in (("text/csv", ","), ("text/tsv", "\t")):
        if kind in accept:
            return Response(as_text(found, lines, delimiter), media_type=kind)
    return single(as_json(found, lines))


@router.get("/observations/{observationDbId}")
def observation(connection: Reading, scope: Seen, observationDbId: str) -> Document:
    """One value."""
    found, _ = _by_id(connection, scope, observationDbId)
    return single(documents.observation(_only(found, "observation", observationDbId)))


@router.get("/seasons")
def seasons(connection: Reading, scope: Seen, paging: Paged, seasonDbId: Annotated[DbId, Query()] = None) -> Document:
    """Years in which anything was heard of."""
    years = questions.years(connection, scope)
    found = [{"seasonDbId": str(year), "seasonName": str(year), "year": year} for year in years]
    return cut(paging, [one for one in found if seasonDbId in {None, one["seasonDbId"]}])


def _by_id(connection: Any, scope: Scope, db_id: str) -> tuple[list[Any], int]:
    parts = db_id.split(":")
    numbers = [part for part in parts[3:] if part.isascii() and part.isdecimal() and len(part) < 16]
    if len(parts) != 5 or len(numbers) != 2:
        return [], 0
    exact = (
        schema.streams.c.epoch == parts[2],
        schema.observations.c.seq == int(numbers[0]),
        schema.trait_set_members.c.position == int(numbers[1]),
    )
    place, everything = Place(site=parts[0], device=parts[1]), questions.Wanted(None, None, None)
    return rows_of(connection, questions.values(connection, scope, place, everything, exact), questions.ORDER, _ONE)


def _variables(connection: Any, scope: Scope) -> list[Variable]:
    """Who may see some sites only sees no words of another one's devices."""
    return known_variables(connection) if scope.sites is None else vocabulary()


def _part(
    found: list[Variable], name: Callable[[Variable], str], db_id: str, draw: Callable[[Variable], Document]
) -> Document:
    return draw(_only([one for one in found if name(one) == db_id], "such thing", db_id))


def _only(found: list[Any], what: str, db_id: str) -> Any:
    if not found:
        raise HTTPException(404, f"there is no {what} with the DbId {db_id[:100]!r}")
    return found[0]


def _parsed(db_id: str, *names: str) -> Place:
    parts = db_id.split(":")
    return Place().also(**dict(zip(names, parts, strict=True))) if len(parts) == len(names) else Place(nowhere=True)


def _sites(connection: Any, scope: Scope, place: Place) -> list[str]:
    found = [] if place.nowhere else questions.sites(connection, scope)
    return [site for site in found if place.site in {None, site}]


def _one_site(connection: Any, scope: Scope, name: str) -> str:
    found: str = _only(_sites(connection, scope, Place(site=name)), "site", name)
    return found


def _trial(site: str) -> Document:
    return {
        "trialDbId": site, "trialName": site, "programDbId": site, "programName": site, "active": True,
        "trialDescription": "Everything that Canopy measures at this site", "externalReferences": [],
    }  # fmt: skip


def _location(site: str) -> Document:
    return {"locationDbId": site, "locationName": site, "locationType": "Greenhouse", "externalReferences": []}
