"""Rollouts: a model's way to the devices in waves, and the commands that steer it."""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from edge.contract.message import Instant, Label, Name
from fleet import registry
from fleet.access import Principal, Role, requires
from fleet.api.asking import Limit, Page, Reading, WholeFleet, page_of, store_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor
from fleet.api.problems import responses
from fleet.api.rollout_documents import Comparison, RolloutDetail, RolloutSummary
from fleet.questions import paged
from fleet.rollouts import commands, views
from fleet.rollouts.plan import Plan
from fleet.rollouts.rollout import State
from fleet.rollouts.trial import compare_arms
from fleet.updates import offered

router = APIRouter(tags=["rollouts"], route_class=Revalidated, dependencies=[WholeFleet])

_CURSOR = Cursor("rollouts", tuple[Instant, Name])

RolloutOf = Annotated[Name, Path(examples=["rosette-0.4.0"])]
Operator = Annotated[Principal, requires(Role.OPERATOR)]
ModelName = Annotated[str, Field(min_length=3, max_length=160)]


class Step(str, Enum):
    """What can be done with a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    ROLLBACK = "rollback"


_STATES: Mapping[Step, State] = {
    Step.PAUSE: State.PAUSED,
    Step.RESUME: State.RUNNING,
    Step.ABORT: State.ABORTED,
    Step.ROLLBACK: State.ROLLED_BACK,
}


class Creation(BaseModel):
    """A new rollout of one model, or of two against each other."""

    model_config = ConfigDict(extra="forbid")

    models: Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=2)] = Field(
        description="`NAME-VERSION` or `CROP@ALIAS`.", examples=[["basil@candidate"]]
    )
    plan: Plan = Field(examples=[{"waves": [{"percent": 10}, {}]}])
    id: Name | None = Field(default=None, description="Its name; absent: made from the model's.")


class Steering(BaseModel):
    """Why it is done."""

    model_config = ConfigDict(extra="forbid")

    why: Label = Field(default="", description="For the audit log and the page.", examples=["frost"])


@router.get("/rollouts", operation_id="listRollouts", responses=responses(400, 403, 422))
def list_rollouts(connection: Reading, limit: Limit = 100, after: After = None) -> Page[RolloutSummary]:
    """Every rollout, the newest first, without its devices."""
    rows = paged.rollouts(connection, _CURSOR.read(after), limit + 1)
    page = page_of(rows, limit, _CURSOR, lambda row: (row["created_at"], row["id"]))
    found = views.documents(connection, [row["id"] for row in page.items])
    return Page(items=[RolloutSummary.model_validate(one) for one in found], next=page.next)


@router.get("/rollouts/{rollout}", operation_id="getRollout", responses=responses(403, 404, 422))
def get_rollout(connection: Reading, rollout: RolloutOf) -> RolloutDetail:
    """One rollout: its waves, its devices, and what it waits for."""
    return RolloutDetail.model_validate(views.rollout(connection, rollout))


@router.get("/rollouts/{rollout}/comparison", operation_id="compareArms", responses=responses(403, 404, 409, 422))
def compare(connection: Reading, rollout: RolloutOf) -> Comparison:
    """How the readings of the two models of an A/B rollout differ, trait by trait."""
    return Comparison.model_validate(compare_arms(connection, rollout).document())


@router.post(
    "/rollouts",
    operation_id="createRollout",
    status_code=201,
    responses=responses(400, 403, 404, 409, 413, 415, 422),
)
def create_rollout(request: Request, creation: Creation, principal: Operator) -> RolloutDetail:
    """Begin a rollout."""
    repository = request.app.state.repository
    published = offered(repository) if repository is not None else None
    with store_of(request).writing() as connection:
        models = [registry.find(connection, spoken) for spoken in creation.models]
        made = commands.create(connection, models, creation.plan, principal.name, creation.id, published)
        return RolloutDetail.model_validate(views.rollout(connection, made.id))


@router.post(
    "/rollouts/{rollout}/{step}",
    operation_id="steerRollout",
    responses=responses(400, 403, 404, 409, 413, 415, 422),
)
def steer_rollout(
    request: Request, rollout: RolloutOf, step: Step, steering: Steering, principal: Operator
) -> RolloutDetail:
    """Pause a rollout, go on with it, abort it, or take the model back from every device that it told."""
    with store_of(request).writing() as connection:
        commands.steer(connection, rollout, _STATES[step], principal.name, steering.why)
        return RolloutDetail.model_validate(views.rollout(connection, rollout))
