"""Errors as RFC 9457 has them: one JSON shape, ``application/problem+json``, whatever went wrong."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from fleet.errors import BadCursor, FleetError, NotFound, NotPossible, PlanError, StoreError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
MAX_FAULTS = 20

_STATUS: Mapping[type[FleetError], int] = {
    BadCursor: 400,
    NotFound: 404,
    NotPossible: 409,
    PlanError: 422,
    StoreError: 503,
}


class Fault(BaseModel):
    """One value that cannot be used."""

    where: str = Field(description="Where it stands: `query.limit`, `body.plan.waves.0.percent`.")
    reason: str = Field(description="What is wrong with it, and what is allowed.")


class Problem(BaseModel):
    """What went wrong (RFC 9457). ``type`` is always ``about:blank``: the status and the words say it all."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404], ge=400, le=599)
    detail: str = Field(
        description="What happened, with which value, and what to do next.",
        examples=["no device north/bench-9 has been heard of; /api/v1/devices lists those that have"],
    )
    faults: list[Fault] = Field(default_factory=list, description="Each value that cannot be used, for a 422.")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's documentation says of the errors that it can answer with."""
    shape = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    return {status: {"description": HTTPStatus(status).phrase, **shape} for status in statuses}


def add_problems(app: FastAPI) -> None:
    """Every error of ``app`` becomes a problem."""
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_unusable)
    app.exception_handler(FleetError)(_our_own)
    app.exception_handler(Exception)(_unforeseen)


def problem(
    status: int, detail: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """A problem as a response."""
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, faults=list(faults))
    content = told.model_dump_json(exclude=set() if faults else {"faults"})
    return Response(content, status, headers={"Cache-Control": "no-store", **(headers or {})}, media_type=MEDIA_TYPE)


async def _refused(request: Request, error: HTTPException) -> Response:
    detail = str(error.detail)
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"there is no {request.method} {request.url.path[:200]}; openapi.json lists what there is"
    return problem(error.status_code, detail, headers=error.headers)


async def _unusable(_request: Request, error: RequestValidationError) -> Response:
    faults = [Fault(where=".".join(map(str, one["loc"])), reason=one["msg"][:500]) for one in error.errors()]
    first = "; ".join(f"{fault.where}: {fault.reason}" for fault in faults[:3])
    return problem(422, f"the request cannot be used: {first}"[:2_000], faults[:MAX_FAULTS])


async def _our_own(_request: Request, error: FleetError) -> Response:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    later = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return problem(status, str(error), headers=later)


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    return problem(500, "the service has a fault; its log has the whole story under this time")
