"""The pages and the APIs over the store, behind the login; and update files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy import Connection

from fleet import metrics
from fleet.access import Role, requires, visit
from fleet.api.application import PREFIX as API_PREFIX
from fleet.api.application import create_api, mount
from fleet.asks import Asks
from fleet.brapi.application import PREFIX as BRAPI_PREFIX
from fleet.brapi.application import create_brapi
from fleet.ca.api import Authority, add_enrolment
from fleet.errors import StoreError
from fleet.frames.api import add_frames
from fleet.frames.desk import FrameDesk
from fleet.ingest.ingest import Ingest
from fleet.live.feed import Feed
from fleet.live.relay import add_live
from fleet.login.gate import Gate
from fleet.login.headers import SecurityHeaders
from fleet.login.pages import add_login
from fleet.pages.routes import add_pages
from fleet.questions import views
from fleet.repository.folder import RepositoryFolder
from fleet.store import Store


def create_app(
    store: Store,
    ingest: Ingest,
    feed: Feed | None = None,
    asks: Asks | None = None,
    *,
    repository: Path | None = None,
    authority: Authority | None = None,
    frames: FrameDesk | None = None,
) -> FastAPI:
    """The web application over a store.

    Args:
        store: what is shown.
        ingest: tells whether messages arrive.
        feed: what open pages hear; without it they are drawn anew now and then.
        asks: asks devices for pictures and logs; without it nobody can.
        repository: the update repository, whose public part is served below ``/updates/``.
        authority: signs devices' certificates, if devices enrol here.
        frames: takes frames for training from devices that have enrolled.
    """
    app = FastAPI(title="Canopy fleet", docs_url=None, redoc_url=None)
    app.mount("/static", StaticFiles(packages=[("fleet", "static")]), name="static")
    app.add_middleware(Gate, store=store)
    app.add_middleware(SecurityHeaders)  # the outermost: what the gate answers has them too
    app.exception_handler(StoreError)(_unavailable)
    if repository is not None:
        public = RepositoryFolder(repository).public
        app.mount("/updates", StaticFiles(directory=public), name="updates")  # Range and If-None-Match are in there

    def connection() -> Iterator[Connection]:
        with store.reading() as reading:
            yield reading

    add_login(app, store)
    if authority is not None:
        add_enrolment(app, store, *authority)
        if frames is not None:
            add_frames(app, frames)
    add_pages(app, store, Depends(connection), ingest, asks)
    if feed is not None:
        add_live(app, feed)
    _add_health(app, Depends(connection), ingest)
    _add_metrics(app, Depends(connection), ingest)
    mount(app, API_PREFIX, create_api(store, ingest, repository))
    mount(app, BRAPI_PREFIX, create_brapi(store))
    return app


def _add_health(app: FastAPI, reading: Any, ingest: Ingest) -> None:
    @app.get("/healthz")
    def healthz(response: Response, connection: Connection = reading) -> dict[str, Any]:
        well = ingest.connected and ingest.writing
        response.status_code = 200 if well else 503
        if visit().principal is None:
            return {"ok": well}
        devices = len(views.list_devices(connection))
        return {"ok": well, "broker": ingest.connected, "store": ingest.writing, "devices": devices} | ingest.tally()


def _add_metrics(app: FastAPI, reading: Any, ingest: Ingest) -> None:
    @app.get("/metrics", dependencies=[requires(Role.VIEWER)])
    def show_metrics(connection: Connection = reading) -> Response:
        """What Prometheus reads, with a token of a reader."""
        return Response(metrics.render(connection, ingest), media_type=metrics.CONTENT_TYPE)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)
