"""What every answer of BrAPI has around it: metadata with the page, and a result; and how it says what went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, Select, func, select
from starlette.exceptions import HTTPException as StarletteHTTPException

from fleet.errors import FleetError, NotFound, StoreError

MAX_PAGE_SIZE = 5_000
MAX_ROWS = 1_000_000
"""So far a list can be paged through; a longer one must be narrowed."""

CONTEXT = ["https://brapi.org/jsonld/context/metadata.jsonld"]

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page, from 0, and how many items are on one."""

    page: int
    size: int

    @property
    def begin(self) -> int:
        """The place of its first item."""
        return self.page * self.size


def _paging(
    page: Annotated[int, Query(ge=0, le=MAX_ROWS)] = 0,
    size: Annotated[int, Query(ge=1, le=MAX_ROWS, alias="pageSize")] = 1_000,
) -> Paging:
    return Paging(page, min(size, MAX_PAGE_SIZE))


Paged = Annotated[Paging, Depends(_paging)]


def page_of(paging: Paging, items: Sequence[Document], total: int) -> Document:
    """A page of a list whose items are ``items`` already."""
    metadata = {
        "datafiles": [],
        "pagination": {
            "currentPage": paging.page,
            "pageSize": paging.size,
            "totalCount": total,
            "totalPages": -(-total // paging.size),
        },
        "status": [],
    }
    return {"@context": CONTEXT, "metadata": metadata, "result": {"data": [given(item) for item in items]}}


def given(part: Any) -> Any:
    """Without what is not known: in the specification's schemas a field may be absent, and may not be null."""
    if isinstance(part, dict):
        return {name: given(value) for name, value in part.items() if value is not None}
    return [given(one) for one in part] if isinstance(part, list) else part


def cut(paging: Paging, items: Sequence[Document]) -> Document:
    """A page of a short list that is here as a whole."""
    return page_of(paging, items[paging.begin : paging.begin + paging.size], len(items))


def single(result: Document) -> Document:
    """An answer that is no list."""
    return {**page_of(Paging(0, 1), [], 1), "result": given(result)}


def rows_of(connection: Connection, query: Select[Any], order: Sequence[Any], paging: Paging) -> tuple[list[Any], int]:
    """The rows of a page, and how many there are in all.

    Raises:
        HTTPException: 400, there are more than anybody can page through.
    """
    bounded = query.with_only_columns(order[0]).limit(MAX_ROWS + 1).subquery()
    total = connection.execute(select(func.count()).select_from(bounded)).scalar_one()
    if total > MAX_ROWS:
        raise HTTPException(400, f"more than {MAX_ROWS} items; narrow it by study, unit, variable or time")
    found = connection.execute(query.order_by(*order).offset(paging.begin).limit(paging.size)).mappings().all()
    return list(found), total


def add_errors(app: FastAPI) -> None:
    """Every error is a JSON string with its level and time, as the specification shows them."""
    app.exception_handler(StarletteHTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_unusable)
    app.exception_handler(FleetError)(_our_own)


def _told(status: int, message: str) -> Response:
    at = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return JSONResponse(f"ERROR - {at} - {message}", status, headers={"Cache-Control": "no-store"})


async def _refused(request: Request, error: StarletteHTTPException) -> Response:
    nothing = error.status_code == 404 and error.detail == "Not Found"
    return _told(error.status_code, f"there is no {request.url.path[:200]} here" if nothing else str(error.detail))


async def _unusable(_request: Request, error: RequestValidationError) -> Response:
    faults = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()[:5]]
    return _told(400, "; ".join(faults)[:1_000])


async def _our_own(_request: Request, error: FleetError) -> Response:
    status = 404 if isinstance(error, NotFound) else 503 if isinstance(error, StoreError) else 500
    return _told(status, str(error))
