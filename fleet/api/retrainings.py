"""Retrainings: why a model is trained anew, and what the gate has found."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from edge.contract.control import ModelRef
from fleet.api.asking import Reading, WholeFleet
from fleet.api.caching import Revalidated
from fleet.api.problems import responses
from fleet.retrain import book
from fleet.retrain.book import Stage

router = APIRouter(tags=["models"], route_class=Revalidated, dependencies=[WholeFleet])

NameOf = Annotated[str, Path(min_length=1, max_length=64, examples=["rosette-0.4.1-20261124"])]


class Judged(BaseModel):
    """One thing that the gate asked, and whether it holds."""

    slice: str = Field(description="`benchmark`, `drifted` or `site:NAME`.")
    ok: bool
    says: str


class Retraining(BaseModel):
    """A model that is to be trained anew."""

    name: str
    stage: Stage
    champion: ModelRef
    why: str
    cameras: list[str] = Field(description="That have changed: `site/device/camera`.")
    since: datetime
    opened_at: datetime
    candidate: ModelRef | None
    findings: list[Judged] = Field(description="What the gate said last.")
    rollout: str | None


@router.get("/retrainings", operation_id="listRetrainings", responses=responses(403))
def list_retrainings(connection: Reading) -> list[Retraining]:
    """Every retraining, the newest first."""
    return [Retraining.model_validate(case.document()) for case in book.listed(connection)]


@router.get("/retrainings/{name}", operation_id="getRetraining", responses=responses(403, 404, 422))
def get_retraining(connection: Reading, name: NameOf) -> Retraining:
    """One retraining."""
    return Retraining.model_validate(book.read(connection, name).document())
