"""Writes the tables and the data files of a MIAPPE data set, as tab-separated text, into a new folder."""

import csv
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from operator import ge, lt
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from fleet import schema
from fleet.api.asking import Scope
from fleet.brapi import questions
from fleet.brapi.documents import study_id, unit_id
from fleet.brapi.envelope import MAX_PAGE_SIZE, Paging
from fleet.brapi.questions import Place
from fleet.errors import NotPossible
from fleet.miappe import sections
from fleet.questions import paged
from fleet.questions.readings import Selection
from fleet.questions.variables import Variable
from fleet.store import Store

_AT_ONCE = 2_000
_FIXED = ("Study unique ID", "Observation unit ID", "Time", "Outcome", "Quality", "Model")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What goes into the data set."""

    title: str
    sites: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def scope(self) -> Scope:
        """The sites as a scope."""
        return Scope(frozenset(self.sites) if self.sites else None)

    def within(self, moment: Any) -> list[Any]:
        """The conditions of the period."""
        bounds = ((ge, self.since), (lt, self.until))
        return [compare(moment, bound) for compare, bound in bounds if bound is not None]


def write(store: Store, folder: Path, wish: Wish) -> int:
    """Write the data set; the folder appears once it is whole. Returns how many observations are in it.

    Raises:
        NotPossible: the folder is there already.
        StoreError: the store cannot be read.
    """
    if folder.exists():
        raise NotPossible(f"{folder} is there already; a data set is written once, so name a new folder")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        count = _write(store, draft, wish)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return count


def _write(store: Store, folder: Path, wish: Wish) -> int:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with store.reading() as connection:
        studies = list(_every(lambda paging: questions.studies(connection, wish.scope, Place(), paging)))
        units = list(_every(lambda paging: questions.units(connection, wish.scope, Place(), paging)))
        happened = list(_events(connection, wish))
    found: dict[Variable, None] = {}
    names, count = [], 0
    for number, study in enumerate(studies, start=1):
        name = f"data_{number:04}_{study['site']}_{study['device']}_{study['camera']}.tsv"
        count += _data(store, folder / name, study, wish, found)
        names.append((study_id(study), name))
    for name, table in (
        ("investigation", sections.investigation(wish.title, now)),
        ("study", sections.studies(studies, wish.title)),
        ("data_file", sections.data_files(names)),
        ("biological_material", sections.biological_material(units)),
        ("observation_unit", sections.observation_units(units)),
        ("observed_variable", sections.observed_variables(sorted(found, key=lambda one: one.id))),
        ("event", sections.events(happened)),
    ):
        _table(folder / f"{name}.tsv", list(table[0]) if table else ["Study unique ID"], table)
    return count


def _data(store: Store, path: Path, study: Row, wish: Wish, found: dict[Variable, None]) -> int:
    """Two looks: which variables there are, for the columns; then the rows. Neither holds more than a page."""
    columns = dict.fromkeys(one for row in _observations(store, study, wish) for one in _cells(row))
    found.update(columns)
    heads = [*_FIXED, *sorted(one.id for one in columns)]
    count = 0

    def rows() -> Iterator[dict[str, str]]:
        nonlocal count
        for row in _observations(store, study, wish):
            count += 1
            yield {**_fixed(row), **{one.id: repr(value) for one, value in _cells(row).items()}}

    _table(path, heads, rows())
    return count


def _fixed(row: Row) -> dict[str, str]:
    cells = (
        study_id(row),
        unit_id(row),
        row["taken_at"].isoformat(),
        row["outcome"] or "unknown",
        " ".join(flag for flag in row["quality"] if flag),
        row["model"] or "",
    )
    return dict(zip(_FIXED, cells, strict=True))


def _cells(row: Row) -> dict[Variable, float]:
    return {Variable(one["trait"], one["unit"], one["method"]): one["value"] for one in row["traits"]}


def _observations(store: Store, study: Row, wish: Wish) -> Iterator[Row]:
    with store.reading() as connection:
        here = paged.of_plots(connection, Selection(study["site"], study["device"], study["camera"]))
    here += wish.within(schema.observations.c.taken_at)
    after: tuple[datetime, int, int] | None = None
    while True:
        with store.reading() as connection:
            found = paged.observations(connection, here, after, _AT_ONCE, newest_first=False)
        yield from found
        if len(found) < _AT_ONCE:
            return
        after = (found[-1]["taken_at"], found[-1]["stream_id"], found[-1]["seq"])


def _events(connection: Connection, wish: Wish) -> Iterator[Row]:
    conditions = [*wish.scope.within(schema.devices.c.site), *wish.within(schema.events.c.happened_at)]
    after: tuple[datetime, int, int] | None = None
    while found := paged.events(connection, conditions, after, _AT_ONCE):
        yield from found
        after = (found[-1]["happened_at"], found[-1]["stream_id"], found[-1]["seq"])


def _every(ask: Any) -> Iterator[Row]:
    paging = Paging(0, MAX_PAGE_SIZE)
    while True:
        found, total = ask(paging)
        yield from found
        if paging.begin + len(found) >= total or not found:
            return
        paging = Paging(paging.page + 1, paging.size)


def _table(path: Path, heads: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    """Tab-separated; what a device wrote has no tab and no line's end in it then."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(heads)
        writer.writerows([" ".join(row.get(head, "").split()) for head in heads] for row in rows)
