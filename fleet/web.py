"""The pages and the JSON API over the store, without login and without anything from elsewhere; and update files."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.contract.message import Name
from fleet import views
from fleet.access import Principal, Role, Visit, current
from fleet.asks import Asks
from fleet.completeness import Hour
from fleet.errors import StoreError
from fleet.growth import rates
from fleet.ingest import Ingest
from fleet.live.feed import Feed
from fleet.live.relay import add_live
from fleet.observed import Document
from fleet.pages.routes import add_pages
from fleet.repository.folder import RepositoryFolder
from fleet.rollout_api import add_commands, add_questions, guard
from fleet.store import Store

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_BORN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_END = datetime(9999, 1, 1, tzinfo=timezone.utc)
Moment = Annotated[AwareDatetime, Field(ge=_BORN, le=_END)]
"""A query's moment, with its offset."""


def create_app(
    store: Store,
    ingest: Ingest,
    feed: Feed | None = None,
    asks: Asks | None = None,
    *,
    repository: Path | None = None,
    commands: bool = False,
) -> FastAPI:
    """The web application over a store.

    Args:
        store: what is shown.
        ingest: tells whether messages arrive.
        feed: what open pages hear; without it they are drawn anew now and then.
        asks: asks devices for pictures and logs; without it nobody can.
        repository: the update repository, whose public part is served below ``/updates/``.
        commands: whether rollouts can be steered; only for loopback.
    """
    app = FastAPI(title="Canopy fleet", docs_url=None, redoc_url=None)
    app.mount("/static", StaticFiles(packages=[("fleet", "static")]), name="static")
    app.middleware("http")(guard(allowed=commands))
    app.middleware("http")(_secure)
    app.add_middleware(_AsLocal, role=Role.OPERATOR if commands else Role.VIEWER)
    app.exception_handler(StoreError)(_unavailable)
    if repository is not None:
        public = RepositoryFolder(repository).public
        app.mount("/updates", StaticFiles(directory=public), name="updates")  # Range and If-None-Match are in there

    def connection() -> Iterator[Connection]:
        with store.reading() as reading:
            yield reading

    add_pages(app, store, Depends(connection), ingest, asks)
    if feed is not None:
        add_live(app, feed)
    _add_health(app, Depends(connection), ingest)
    _add_devices(app, Depends(connection))
    _add_observations(app, Depends(connection))
    _add_growth(app, Depends(connection))
    add_questions(app, Depends(connection))
    add_commands(app, store, repository)
    return app


def _add_health(app: FastAPI, reading: Any, ingest: Ingest) -> None:
    @app.get("/healthz")
    def healthz(response: Response, connection: Connection = reading) -> dict[str, Any]:
        well = ingest.connected and ingest.writing
        response.status_code = 200 if well else 503
        devices = len(views.list_devices(connection))
        return {"ok": well, "broker": ingest.connected, "store": ingest.writing, "devices": devices} | ingest.tally()


def _add_devices(app: FastAPI, reading: Any) -> None:
    @app.get("/api/devices")
    def devices(connection: Connection = reading) -> list[Document]:
        return views.list_devices(connection)

    @app.get("/api/devices/{site}/{device}/latest")
    def latest(site: Name, device: Name, connection: Connection = reading) -> list[Document]:
        return views.latest(connection, _device_id(connection, site, device))

    @app.get("/api/devices/{site}/{device}/completeness")
    def completeness(
        site: Name, device: Name, hours: Annotated[int, Query(ge=1, le=24 * 31)] = 24, connection: Connection = reading
    ) -> list[Hour]:
        return views.completeness(connection, _device_id(connection, site, device), hours)

    @app.get("/api/devices/{site}/{device}/stream")
    def stream(site: Name, device: Name, connection: Connection = reading) -> list[views.StreamAccount]:
        return views.stream_accounts(connection, _device_id(connection, site, device))


def _add_observations(app: FastAPI, reading: Any) -> None:
    @app.get("/api/observations")
    def observations(
        site: Name,
        device: Name,
        plot: Name | None = None,
        trait: Name | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: Annotated[int, Query(ge=1, le=views.MAX_OBSERVATIONS)] = 100,
        connection: Connection = reading,
    ) -> list[Document]:
        return views.observations(
            connection,
            _device_id(connection, site, device),
            plot=plot,
            trait=trait,
            since=since and since.astimezone(timezone.utc),
            until=until and until.astimezone(timezone.utc),
            limit=limit,
        )


def _add_growth(app: FastAPI, reading: Any) -> None:
    @app.get("/api/growth")
    def growth(
        site: Name,
        device: Name,
        camera: Name,
        plot: Name,
        days: Annotated[float, Query(ge=1, le=366)] = 14,
        from_hour: Annotated[float, Query(ge=0, le=24)] = 10,
        to_hour: Annotated[float, Query(ge=0, le=24)] = 14,
        utc_offset_h: Annotated[float, Query(ge=-12, le=14)] = 0,
        connection: Connection = reading,
    ) -> list[Document]:
        """How fast a plot's plants have grown over the last days, by what was seen at the same hours of each."""
        if from_hour >= to_hour:
            raise HTTPException(422, f"from_hour {from_hour:g} is not before to_hour {to_hour:g}; both are of one day")
        zone = timezone(timedelta(hours=utc_offset_h))
        since = datetime.now(timezone.utc) - timedelta(days=days)
        device_id = _device_id(connection, site, device)
        return rates(connection, device_id, camera, plot, since, (from_hour, to_hour), zone)


def _device_id(connection: Connection, site: str, device: str) -> int:
    found = views.find_device(connection, site, device)
    if found is None:
        raise HTTPException(404, f"no device {site}/{device} has been heard of; /api/devices lists those that have")
    return int(found["id"])


class _AsLocal:
    """Everybody who reaches the port is the same."""

    def __init__(self, app: ASGIApp, role: Role) -> None:
        self._app, self._principal = app, Principal("local", role)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["principal"] = self._principal
        current.set(Visit(self._principal, "loopback"))
        await self._app(scope, receive, send)


async def _secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.update(SECURITY_HEADERS)
    return response


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)
