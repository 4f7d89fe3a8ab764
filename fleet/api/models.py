"""Models: what devices can run, under which names, made from what, and what they have measured."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from edge.contract.manifest import Lineage
from edge.contract.message import Digest, Name
from fleet import registry
from fleet.access import Principal, Role, requires
from fleet.api.asking import Reading, WholeFleet, store_of
from fleet.api.caching import Revalidated
from fleet.api.problems import responses
from fleet.rollouts.rollout import State

router = APIRouter(tags=["models"], route_class=Revalidated, dependencies=[WholeFleet])

ModelOf = Annotated[
    str,
    Path(
        min_length=3, max_length=160, description="`NAME-VERSION`, or `CROP@ALIAS`.",
        examples=["rosette-0.4.0", "basil@champion"],
    ),
]  # fmt: skip


class Model(BaseModel):
    """A model that the fleet knows."""

    name: Name
    version: str
    digest: Digest
    added_at: datetime
    aliases: list[str] = Field(description="Names that point to it: `basil@champion`.")
    hardware: list[str] | None = Field(description="That there is a package for; null: nobody said.")
    devices: int = Field(description="How many say that they run it now.")


class InRollout(BaseModel):
    """A rollout that the model was, or is, in."""

    id: str
    state: State
    created_at: datetime
    confirmed: int = Field(description="Devices that confirmed it.")


class Made(BaseModel):
    """The observations that a model made."""

    count: int
    devices: int
    first_at: datetime | None
    last_at: datetime | None


class ModelDetail(BaseModel):
    """A model with where it came from and what became of it."""

    name: Name
    version: str
    digest: Digest
    added_at: datetime
    aliases: list[str]
    hardware: list[str] | None
    lineage: Lineage
    metrics: dict[str, dict[str, float]] = Field(description="As the package has them, by set of pictures.")
    rollouts: list[InRollout]
    devices: list[str] = Field(description="That say they run it now: `site/device`.")
    observations: Made


class Promotion(BaseModel):
    """Which name shall point to the model."""

    model_config = ConfigDict(extra="forbid")

    crop: Name = Field(examples=["basil"])
    alias: Name = Field(examples=["champion"])


@router.get("/models", operation_id="listModels", responses=responses(403))
def list_models(connection: Reading) -> list[Model]:
    """Every model, the newest first."""
    return [Model.model_validate(row) for row in registry.list_models(connection)]


@router.get("/models/{model}", operation_id="getModel", responses=responses(403, 404, 422))
def get_model(connection: Reading, model: ModelOf) -> ModelDetail:
    """One model, with its lineage, its rollouts, its devices and what it measured."""
    return ModelDetail.model_validate(registry.show(connection, registry.find(connection, model)))


@router.post("/models/{model}/promote", operation_id="promoteModel", responses=responses(400, 403, 404, 413, 415, 422))
def promote_model(
    request: Request, model: ModelOf, promotion: Promotion, principal: Annotated[Principal, requires(Role.OPERATOR)]
) -> ModelDetail:
    """Let an alias of a crop point to this model."""
    with store_of(request).writing() as connection:
        found = registry.find(connection, model)
        registry.promote(connection, promotion.crop, promotion.alias, found, principal.name)
        return ModelDetail.model_validate(registry.show(connection, found))
