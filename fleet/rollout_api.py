"""The JSON API of rollouts, models and the audit log; and, on loopback, the commands.

There is no login yet, so commands are off unless ``http.commands`` allows them, which only loopback may. Then they are
taken under a loopback name (a page elsewhere could give its own name this address), not from a proxy, and only with a
header and a content type that no form of another site can send without asking first.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from edge.contract.message import Label, Name
from fleet import audit, commands, registry, rollout_views
from fleet.errors import FleetError, NotFound, NotPossible, PlanError
from fleet.plan import Plan
from fleet.rollout import State
from fleet.settings import is_loopback
from fleet.store import Store
from fleet.trial import compare_arms
from fleet.updates import offered

COMMAND_HEADER = "X-Canopy-Command"
MAX_BODY_BYTES = 100_000
MAX_ENTRIES = 1_000

_STATUS = {NotFound: 404, NotPossible: 409, PlanError: 422}
_STEPS = {
    "pause": State.PAUSED,
    "resume": State.RUNNING,
    "abort": State.ABORTED,
    "rollback": State.ROLLED_BACK,
}
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_Next = Callable[[Request], Awaitable[Response]]
Spoken = Annotated[str, Field(min_length=3, max_length=160)]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")

    who: Label = "http"


class Creation(_Command):
    """What ``POST /api/rollouts`` takes: one model, or two against each other, as the command line names them."""

    models: Annotated[tuple[Spoken, ...], Field(min_length=1, max_length=2)]
    plan: Plan
    id: Name | None = None


class Steering(_Command):
    """What pausing, resuming, aborting and rolling back take."""

    why: Label = ""


class Promotion(_Command):
    """What promoting takes."""

    crop: Name
    alias: Name


def guard(*, allowed: bool) -> Callable[[Request, _Next], Awaitable[Response]]:
    """The middleware that refuses commands before anything of their bodies is read."""

    async def check(request: Request, call_next: _Next) -> Response:
        refusal = None if request.method in _HARMLESS else _refusal(request, allowed=allowed)
        return await call_next(request) if refusal is None else refusal

    return check


def _refusal(request: Request, *, allowed: bool) -> Response | None:
    length = request.headers.get("content-length", "")
    for refused, status, reason in (
        (
            not allowed or not is_loopback(request.url.hostname or "") or not _FORWARDED.isdisjoint(request.headers),
            403, "there is no login, so commands over HTTP are off, or for loopback alone: use canopy-fleet over there",
        ),
        (
            request.headers.get(COMMAND_HEADER) != "1",
            403, f"a command needs the header {COMMAND_HEADER}: 1, which no other site can send",
        ),
        (
            request.headers.get("content-type", "").partition(";")[0].strip() != "application/json",
            415, "a command is JSON: send Content-Type: application/json",
        ),
        (
            not length.isdecimal() or int(length) > MAX_BODY_BYTES,
            413, f"a command has a Content-Length of at most {MAX_BODY_BYTES} bytes",
        ),
    ):  # fmt: skip
        if refused:
            return JSONResponse({"detail": reason}, status_code=status)
    return None


def add_questions(app: FastAPI, reading: Any) -> None:
    """What anybody who sees the page may ask."""
    for kind, status in _STATUS.items():
        app.exception_handler(kind)(_answering(status))

    @app.get("/api/rollouts")
    def rollouts(connection: Connection = reading) -> list[dict[str, Any]]:
        found = rollout_views.list_rollouts(connection)
        return [{key: value for key, value in one.items() if key != "devices"} for one in found]

    @app.get("/api/rollouts/{rollout_id}")
    def rollout(rollout_id: Name, connection: Connection = reading) -> dict[str, Any]:
        return rollout_views.rollout(connection, rollout_id)

    @app.get("/api/rollouts/{rollout_id}/comparison")
    def comparison(rollout_id: Name, connection: Connection = reading) -> dict[str, Any]:
        return compare_arms(connection, rollout_id).document()

    @app.get("/api/models")
    def models(connection: Connection = reading) -> list[dict[str, Any]]:
        return registry.list_models(connection)

    @app.get("/api/models/{model}")
    def model(model: Spoken, connection: Connection = reading) -> dict[str, Any]:
        return registry.show(connection, registry.find(connection, model))

    @app.get("/api/audit")
    def entries(
        limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100, connection: Connection = reading
    ) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in audit.entries(connection, limit)]


def add_commands(app: FastAPI, store: Store, repository: Path | None) -> None:
    """What changes something; ``guard`` stands before it."""

    @app.post("/api/rollouts", status_code=201)
    def create(creation: Creation) -> dict[str, Any]:
        published = offered(repository) if repository is not None else None
        with store.writing() as connection:
            models = [registry.find(connection, spoken) for spoken in creation.models]
            made = commands.create(connection, models, creation.plan, creation.who, creation.id, published)
            return rollout_views.rollout(connection, made.id)

    @app.post("/api/rollouts/{rollout_id}/{step}")
    def steer(rollout_id: Name, step: str, steering: Steering) -> dict[str, Any]:
        if step not in _STEPS:
            raise HTTPException(404, f"a rollout can {', '.join(_STEPS)}; not {step[:32]}")
        with store.writing() as connection:
            commands.steer(connection, rollout_id, _STEPS[step], steering.who, steering.why)
            return rollout_views.rollout(connection, rollout_id)

    @app.post("/api/models/{model}/promote")
    def promote(model: Spoken, promotion: Promotion) -> dict[str, Any]:
        with store.writing() as connection:
            found = registry.find(connection, model)
            registry.promote(connection, promotion.crop, promotion.alias, found, promotion.who)
            return registry.show(connection, found)


def _answering(status: int) -> Any:
    async def answer(_request: Request, error: FleetError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=status)

    return answer
