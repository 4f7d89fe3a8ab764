"""The JSON API of rollouts, models and the audit log: viewers may ask, operators may steer."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from edge.contract.message import Label, Name
from fleet import audit, commands, registry, rollout_views
from fleet.access import Principal, Role, requires
from fleet.errors import FleetError, NotFound, NotPossible, PlanError
from fleet.plan import Plan
from fleet.rollout import State
from fleet.store import Store
from fleet.trial import compare_arms
from fleet.updates import offered

MAX_ENTRIES = 1_000

_STATUS = {NotFound: 404, NotPossible: 409, PlanError: 422}
_STEPS = {
    "pause": State.PAUSED,
    "resume": State.RUNNING,
    "abort": State.ABORTED,
    "rollback": State.ROLLED_BACK,
}
Spoken = Annotated[str, Field(min_length=3, max_length=160)]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")


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
    """What changes something."""
    operator = requires(Role.OPERATOR)

    @app.post("/api/rollouts", status_code=201)
    def create(creation: Creation, person: Principal = operator) -> dict[str, Any]:
        published = offered(repository) if repository is not None else None
        with store.writing() as connection:
            models = [registry.find(connection, spoken) for spoken in creation.models]
            made = commands.create(connection, models, creation.plan, person.name, creation.id, published)
            return rollout_views.rollout(connection, made.id)

    @app.post("/api/rollouts/{rollout_id}/{step}")
    def steer(rollout_id: Name, step: str, steering: Steering, person: Principal = operator) -> dict[str, Any]:
        if step not in _STEPS:
            raise HTTPException(404, f"a rollout can {', '.join(_STEPS)}; not {step[:32]}")
        with store.writing() as connection:
            commands.steer(connection, rollout_id, _STEPS[step], person.name, steering.why)
            return rollout_views.rollout(connection, rollout_id)

    @app.post("/api/models/{model}/promote")
    def promote(model: Spoken, promotion: Promotion, person: Principal = operator) -> dict[str, Any]:
        with store.writing() as connection:
            found = registry.find(connection, model)
            registry.promote(connection, promotion.crop, promotion.alias, found, person.name)
            return registry.show(connection, found)


def _answering(status: int) -> Any:
    async def answer(_request: Request, error: FleetError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=status)

    return answer
