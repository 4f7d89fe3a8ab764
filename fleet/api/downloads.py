"""Readings of a plot as a file: CSV for people, Parquet for programs; sent as they are read, and bounded."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import eq, ge, lt
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select

from edge.contract.message import Name
from fleet import schema
from fleet.api.asking import Asked, CameraOf, DeviceOf, Period, PlotOf, Reading, Seen, SiteOf, store_of
from fleet.api.caching import REVALIDATE, VARY
from fleet.api.plots import PLOT, known_plot
from fleet.api.problems import responses
from fleet.questions import paged
from fleet.store import Store
from fleet.warehouse.rows import COLUMNS, Row, flat

router = APIRouter(tags=["observations"])

MAX_OBSERVATIONS = 200_000
_AT_ONCE = 2_000
_WRITTEN = ("crop", "method", "error")
_TIMES = ("taken_at", "captured_at", "received_at")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Wanted = Annotated[list[Name] | None, Query(max_length=64, description="These traits only.", examples=[["leaf_count"]])]
_ROWS = "One row for each value, and one without a value for each observation that has none: missing is never zero."


class CsvResponse(StreamingResponse):
    """CSV as RFC 4180 has it, with one line of headings."""

    media_type = "text/csv"


class ParquetResponse(StreamingResponse):
    """Apache Parquet."""

    media_type = "application/vnd.apache.parquet"


_CSV_SHAPE: dict[int | str, dict[str, Any]] = {
    200: {"description": _ROWS, "content": {"text/csv": {"schema": {"type": "string"}}}}
}
_PARQUET_SHAPE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": _ROWS,
        "content": {"application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    PLOT + "/readings.csv",
    operation_id="downloadCsv",
    response_class=CsvResponse,
    responses=_CSV_SHAPE | responses(404, 422),
)
def download_csv(
    request: Request, connection: Reading, scope: Seen, period: Asked,
    site: SiteOf, device: DeviceOf, camera: CameraOf, plot: PlotOf, trait: Wanted = None,
) -> StreamingResponse:  # fmt: skip
    """Every reading of a plot in a period, as CSV."""
    where = (site, device, camera, plot)
    plot_id = _bounded(connection, known_plot(connection, scope, where)["id"], period)
    pages = _pages(store_of(request), plot_id, period, trait)
    return CsvResponse(_as_csv(pages), headers=_headers(where, period, "csv"))


@router.get(
    PLOT + "/readings.parquet",
    operation_id="downloadParquet",
    response_class=ParquetResponse,
    responses=_PARQUET_SHAPE | responses(404, 422, 501),
)
def download_parquet(
    request: Request, connection: Reading, scope: Seen, period: Asked,
    site: SiteOf, device: DeviceOf, camera: CameraOf, plot: PlotOf, trait: Wanted = None,
) -> StreamingResponse:  # fmt: skip
    """Every reading of a plot in a period, as Parquet, with the types and units of the exports."""
    where = (site, device, camera, plot)
    plot_id = _bounded(connection, known_plot(connection, scope, where)["id"], period)
    pages = _pages(store_of(request), plot_id, period, trait)
    try:
        from fleet.warehouse.tables import as_parquet  # noqa: PLC0415 - an extra: a small service does without
    except ImportError as error:
        raise HTTPException(
            501, "Parquet needs pyarrow here: install canopy-edge[fleet,warehouse], or take readings.csv"
        ) from error
    return ParquetResponse(as_parquet(pages), headers=_headers(where, period, "parquet"))


def _bounded(connection: Reading, plot_id: int, period: Period) -> int:
    table = schema.observations
    count = select(func.count()).select_from(table).where(*_of(plot_id, period))
    found = connection.execute(count).scalar_one()
    if found > MAX_OBSERVATIONS:
        raise HTTPException(
            422, f"{found} observations are more than {MAX_OBSERVATIONS}; ask in parts, or use canopy-fleet export"
        )
    return plot_id


def _of(plot_id: int, period: Period) -> list[Any]:
    table = schema.observations
    return [eq(table.c.plot_id, plot_id), ge(table.c.taken_at, period.since), lt(table.c.taken_at, period.until)]


def _pages(store: Store, plot_id: int, period: Period, traits: Sequence[str] | None) -> Iterator[list[Row]]:
    """The newest first; each page is a look at the store of its own, so a slow reader holds nothing open."""
    after: tuple[datetime, int, int] | None = None
    while True:
        with store.reading() as connection:
            found = paged.observations(connection, _of(plot_id, period), after, _AT_ONCE)
        yield [row for one in found for row in flat(one, traits)]
        if len(found) < _AT_ONCE:
            return
        after = (found[-1]["taken_at"], found[-1]["stream_id"], found[-1]["seq"])


def _as_csv(pages: Iterable[list[Row]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for page in pages:
        writer.writerows(map(_as_text, page))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _as_text(row: Row) -> Row:
    """What a device wrote is text in a spreadsheet too, and never a formula."""
    safe = {name: f"'{row[name]}" for name in _WRITTEN if str(row[name] or "").startswith(_FORMULA)}
    times = {name: row[name].isoformat().replace("+00:00", "Z") for name in _TIMES}
    return {**row, "clock_ok": str(row["clock_ok"]).lower(), "quality": " ".join(row["quality"]), **times, **safe}


def _headers(where: tuple[str, ...], period: Period, kind: str) -> dict[str, str]:
    """Names hold only letters, digits, dots, dashes and underscores, so they are safe in a file's name."""
    name = f"{'_'.join(where)}_{period.since:%Y%m%d}-{period.until:%Y%m%d}.{kind}"
    return {
        "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": REVALIDATE, "Vary": VARY,
    }  # fmt: skip
