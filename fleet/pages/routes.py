"""The addresses of the pages, and of what they ask for besides: pictures, lines, answers."""

from datetime import date, datetime, timezone
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from edge.contract.commands import CommandId, CommandKind
from edge.contract.control import Setting, SettingPath
from edge.contract.message import Name
from fleet import asks, pictures
from fleet.access import Principal, Role, requires
from fleet.errors import NotPossible
from fleet.ingest.ingest import Ingest
from fleet.pages import alerts, drift, overview, plot, rollouts
from fleet.pages import device as device_page
from fleet.questions.series import MAX_POINTS, MIN_POINTS, Place
from fleet.rollouts import wishes
from fleet.store import Store

_BORN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_END = datetime(9999, 1, 1, tzinfo=timezone.utc)
_MAX_DAYS = 3_660
Moment = Annotated[AwareDatetime, Field(ge=_BORN, le=_END)]
After = Annotated[str, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}/[A-Za-z0-9_.-]{1,64}/[A-Za-z0-9_.-]{0,64}$")]
Camera = Annotated[str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}){2}$")]
Day = Annotated[date, Field(ge=_BORN.date(), lt=_END.date())]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Asking(_Body):
    """What a device is asked to do once."""

    kind: CommandKind
    camera: Name | None = None
    lines: Annotated[int, Field(ge=1, le=2_000)] = 200


class Changing(_Body):
    """Settings wanted: for each path ``[value]``, or ``[]`` to want nothing there any more."""

    changes: Annotated[dict[SettingPath, Annotated[tuple[Setting, ...], Field(max_length=1)]], Field(max_length=64)]


def add_pages(app: FastAPI, store: Store, reading: Any, ingest: Ingest, asking: asks.Asks | None) -> None:
    """Every page, for everybody who is let in; what changes something is for operators."""
    _add_documents(app, reading, ingest)
    _add_contents(app, reading)
    _add_commands(app, store, asking)


def _add_documents(app: FastAPI, reading: Any, ingest: Ingest) -> None:
    viewer = [requires(Role.VIEWER)]

    def receiving() -> bool:
        return ingest.connected and ingest.writing

    @app.get("/", response_class=HTMLResponse, dependencies=viewer)
    def show_overview(site: Name | None = None, after: After | None = None, connection: Connection = reading) -> str:
        place = tuple(after.split("/")) if after else None
        return overview.draw(connection, site, place, receiving=receiving())  # type: ignore[arg-type]

    @app.get("/devices/{site}/{device}", response_class=HTMLResponse, dependencies=viewer)
    def show_device(site: Name, device: Name, connection: Connection = reading) -> str:
        return _found(device_page.draw(connection, site, device, receiving=receiving()), f"{site}/{device}")

    @app.get("/plots/{site}/{device}/{camera}/{plot_name}", response_class=HTMLResponse, dependencies=viewer)
    def show_plot(
        site: Name,
        device: Name,
        camera: Name,
        plot_name: Name,
        trait: Name | None = None,
        connection: Connection = reading,
    ) -> str:
        place = Place(site, device, camera, plot_name)
        drawn = plot.draw(connection, place, trait, receiving=receiving())
        return _found(drawn, f"{site}/{device}/{camera}/{plot_name}")

    @app.get("/drift", response_class=HTMLResponse, dependencies=viewer)
    def show_drift(
        site: Name | None = None, camera: Camera | None = None, day: Day | None = None, connection: Connection = reading
    ) -> str:
        chosen = drift.Chosen.of(camera, day) if camera and day else None
        return drift.draw(connection, site, chosen, receiving=receiving())

    @app.get("/alerts", response_class=HTMLResponse, dependencies=viewer)
    def show_alerts(connection: Connection = reading) -> str:
        return alerts.draw(connection, receiving=receiving())

    @app.get("/rollouts", response_class=HTMLResponse, dependencies=viewer)
    def show_rollouts(connection: Connection = reading) -> str:
        return rollouts.draw(connection, receiving=receiving())


def _add_contents(app: FastAPI, reading: Any) -> None:
    viewer = [requires(Role.VIEWER)]

    @app.get("/plots/{site}/{device}/{camera}/{plot_name}/series", dependencies=viewer)
    def lines(
        site: Name,
        device: Name,
        camera: Name,
        plot_name: Name,
        trait: Name,
        since: Moment,
        until: Moment,
        points: Annotated[int, Query(ge=MIN_POINTS, le=MAX_POINTS)] = 800,
        beside: Annotated[list[Name], Query(max_length=plot.MAX_COMPARED)] = [],  # noqa: B006 - FastAPI copies it
        connection: Connection = reading,
    ) -> dict[str, Any]:
        """What the chart draws; at most ten years at once."""
        if not since < until or (until - since).days > _MAX_DAYS:
            raise HTTPException(422, f"from {since} to {until}: until lies after since, by up to {_MAX_DAYS} days")
        place = Place(site, device, camera, plot_name)
        begin, end = since.astimezone(timezone.utc), until.astimezone(timezone.utc)
        return plot.lines(connection, place, beside, trait, begin, end, points)

    @app.get("/pictures/{site}/{device}/{camera}", dependencies=viewer)
    def picture(request: Request, site: Name, device: Name, camera: Name, connection: Connection = reading) -> Response:
        found = pictures.find(connection, site, device, camera)
        if found is None:
            raise HTTPException(404, f"no picture of {site}/{device}/{camera} has arrived")
        tag = f'"{found["digest"][7:39]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(found["jpeg"], media_type="image/jpeg", headers={"ETag": tag})

    @app.get("/asks/{name}", dependencies=[requires(Role.OPERATOR)])
    def answer(name: CommandId, connection: Connection = reading) -> dict[str, Any]:
        """What became of something asked."""
        found = asks.answer(connection, name)
        waits = found["answered_at"] is None
        late = waits and datetime.now(timezone.utc) > found["expires_at"]
        state = "failed" if late or found["ok"] is False else "waiting" if waits else "done"
        reason = "the device has not answered in time" if late else found["reason"]
        return {"state": state, "reason": reason, "kind": found["kind"], "camera": found["camera"]}


def _add_commands(app: FastAPI, store: Store, asking: asks.Asks | None) -> None:
    operator = requires(Role.OPERATOR)

    @app.post("/devices/{site}/{device}/asks", status_code=202)
    def ask(site: Name, device: Name, wanted: Asking, person: Principal = operator) -> dict[str, str]:
        """Ask a device for a picture or its log."""
        if asking is None or wanted.kind not in asks.KINDS:
            raise NotPossible(f"{wanted.kind.value} cannot be asked for here")
        name = asking.ask(site, device, wanted.kind, person.name, camera=wanted.camera, lines=wanted.lines)
        return {"id": name}

    @app.post("/devices/{site}/{device}/settings")
    def change(site: Name, device: Name, wanted: Changing, person: Principal = operator) -> dict[str, Any]:
        """Change what is wanted of a device's settings."""
        with store.writing() as connection:
            now = datetime.now(timezone.utc)
            return {"wanted": wishes.wish(connection, site, device, wanted.changes, person.name, now)}


def _found(drawn: str | None, name: str) -> str:
    if drawn is None:
        raise HTTPException(404, f"nothing has been heard of {name}")
    return drawn
