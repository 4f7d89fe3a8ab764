"""The pages and the APIs over the store, without login and without anything from elsewhere; and update files."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy import Connection

from fleet import page, rollout_page, views
from fleet.access import Principal, Role
from fleet.api.application import PREFIX as API_PREFIX
from fleet.api.application import create_api, mount
from fleet.brapi.application import PREFIX as BRAPI_PREFIX
from fleet.brapi.application import create_brapi
from fleet.errors import StoreError
from fleet.guard import guard
from fleet.ingest import Ingest
from fleet.repository.folder import RepositoryFolder
from fleet.store import Store

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def create_app(store: Store, ingest: Ingest, *, repository: Path | None = None, commands: bool = False) -> FastAPI:
    """The web application over a store.

    Args:
        store: what is shown.
        ingest: tells whether messages arrive.
        repository: the update repository, whose public part is served below ``/updates/``.
        commands: whether rollouts can be steered; only for loopback.
    """
    app = FastAPI(title="Canopy fleet", docs_url=None, redoc_url=None)
    app.mount("/static", StaticFiles(packages=[("fleet", "static")]), name="static")
    app.middleware("http")(guard(allowed=commands))
    app.middleware("http")(_secure)
    app.middleware("http")(_as_local(Role.OPERATOR if commands else Role.VIEWER))
    app.exception_handler(StoreError)(_unavailable)
    if repository is not None:
        public = RepositoryFolder(repository).public
        app.mount("/updates", StaticFiles(directory=public), name="updates")  # Range and If-None-Match are in there

    def connection() -> Iterator[Connection]:
        with store.reading() as reading:
            yield reading

    _add_page(app, Depends(connection), ingest)
    mount(app, API_PREFIX, create_api(store, ingest, repository))
    mount(app, BRAPI_PREFIX, create_brapi(store))
    return app


def _add_page(app: FastAPI, reading: Any, ingest: Ingest) -> None:
    @app.get("/", response_class=HTMLResponse)
    def show(connection: Connection = reading) -> str:
        return page.draw(connection, receiving=ingest.connected and ingest.writing)

    @app.get("/rollouts", response_class=HTMLResponse)
    def show_rollouts(connection: Connection = reading) -> str:
        return rollout_page.draw(connection, receiving=ingest.connected and ingest.writing)

    @app.get("/healthz")
    def healthz(response: Response, connection: Connection = reading) -> dict[str, Any]:
        well = ingest.connected and ingest.writing
        response.status_code = 200 if well else 503
        devices = len(views.list_devices(connection))
        return {"ok": well, "broker": ingest.connected, "store": ingest.writing, "devices": devices} | ingest.tally()


def _as_local(role: Role) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    async def recognise(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.principal = Principal("local", role)
        return await call_next(request)

    return recognise


async def _secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)
