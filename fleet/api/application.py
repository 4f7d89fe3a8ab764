"""The API as an application of its own, which the service mounts: its errors, its documents and nobody else's."""

import json
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from starlette.routing import Mount

from fleet.api import (
    alerts,
    audit,
    completeness,
    devices,
    docs,
    downloads,
    drift,
    events,
    gaps,
    growth,
    health,
    models,
    observations,
    plots,
    readings,
    rollouts,
    series,
    traits,
)
from fleet.api.caching import Revalidated
from fleet.api.problems import Problem, add_problems, responses
from fleet.ingest.ingest import Ingest
from fleet.store import Store

PREFIX = "/api/v1"

TAGS = [
    {"name": "devices", "description": "What stands in the greenhouse, and how it does."},
    {"name": "cameras", "description": "What the devices look through."},
    {"name": "plots", "description": "The places that hold one plant each, with what was seen there last."},
    {"name": "observations", "description": "What was seen, with all that one must know to trust it."},
    {"name": "series", "description": "One trait over time, drawn to size."},
    {"name": "growth", "description": "How fast plants grow."},
    {"name": "traits", "description": "What the numbers mean."},
    {"name": "events", "description": "What happened to devices."},
    {"name": "drift", "description": "Which cameras have changed, and what people say of it."},
    {"name": "alerts", "description": "What needs somebody, what did, and what is silenced."},
    {"name": "completeness", "description": "What is here, what is missing, what was dropped."},
    {"name": "models", "description": "What the devices run, and where it came from."},
    {"name": "rollouts", "description": "How a model reaches the devices, and how it is stopped."},
    {"name": "audit", "description": "Who did what."},
    {"name": "health", "description": "How the service itself does."},
]

DESCRIPTION = """\
Traits of plants, as cameras in the greenhouse measure them.

**Pages.** Lists come in pages of at most `limit` items; give `next` of one as `after` for the following one.
**Again.** Answers carry an `ETag`; send it as `If-None-Match`, and what has not changed is a 304 without a body.
**Errors** are `application/problem+json` (RFC 9457): `detail` says what happened and what to do.
**Times** carry their offset; a period is from `since` (included) to `until` (not included), at most 366 days.
**Missing is never zero**: an observation without a value says by its `outcome` and `quality` why.
"""

_RESOURCES = (
    devices, plots, observations, readings, downloads, series, growth, traits, events, drift, alerts,
    completeness, gaps, models, rollouts, audit, health,
)  # fmt: skip
_ALWAYS = responses(401, 403, 500, 503)


def create_api(store: Store, ingest: Ingest, repository: Path | None = None) -> FastAPI:
    """The API over a store.

    Args:
        store: what is asked.
        ingest: tells whether messages arrive.
        repository: the update repository: a rollout reaches only hardware that its model is published for.
    """
    api = FastAPI(
        title="Canopy fleet",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": PREFIX}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    api.state.store, api.state.ingest, api.state.repository = store, ingest, repository
    add_problems(api)
    for resource in _RESOURCES:
        api.include_router(resource.router, responses=_ALWAYS)
    _add_documents(api)
    return api


def mount(app: FastAPI, prefix: str, api: FastAPI) -> None:
    """Hand every path below ``prefix`` to ``api``; Starlette's own mount passes by those with a line's end in them."""
    found = Mount(prefix, api)
    found.path_regex = re.compile(found.path_regex.pattern, re.DOTALL)
    app.router.routes.append(found)


def describe(api: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    document = get_openapi(
        title=api.title, version=api.version, description=api.description, routes=api.routes, tags=api.openapi_tags,
        servers=api.servers, license_info=api.license_info,
    )  # fmt: skip
    shapes = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    shapes |= problem.pop("$defs") | {"Problem": problem}
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A program's token; a browser has its session."}
    }
    document["security"] = [{"token": []}, {}]
    return document


def _add_documents(api: FastAPI) -> None:
    body = json.dumps(describe(api), ensure_ascii=False, separators=(",", ":")).encode()

    def openapi() -> Response:
        return Response(body, media_type="application/json")

    api.router.add_api_route("/openapi.json", openapi, include_in_schema=False, route_class_override=Revalidated)
    api.router.add_api_route("/docs", docs.page, include_in_schema=False)
