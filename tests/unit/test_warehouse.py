"""Exports to a warehouse: DuckDB reads from them what the store holds, whatever came late, twice, or beside a kill."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from fleet.cli import app as command_line
from fleet.errors import NotPossible
from fleet.questions.readings import Selection, every_reading
from fleet.store import Store
from fleet.warehouse import run
from fleet.warehouse.position import Choice
from fleet.warehouse.run import export
from fleet.warehouse.tables import VERSION
from tests.sim.fleet_filled import READINGS, batch_of, entry, filled
from tests.sim.fleet_records import NOON, letter

KINDS = ("parquet", "delta")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = filled(Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}"))
    yield opened
    opened.close()


def choice(kind: str, **what: Any) -> Choice:
    return Choice(kind=kind, columns=VERSION, **what)


def ask(kind: str, folder: Path, question: str) -> list[tuple[Any, ...]]:
    """What DuckDB answers over ``readings``."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if kind == "delta":
            connection.register("readings", DeltaTable(str(folder)).to_pyarrow_dataset())
        else:
            source = f"read_parquet('{folder}/*/*/*.parquet', hive_partitioning = true)"
            connection.execute(f"CREATE VIEW readings AS SELECT * FROM {source}")
        found = connection.sql(question).to_arrow_table().to_pylist()  # fetchall would ask for pytz
        return [tuple(row.values()) for row in found]


VALUES = (
    "SELECT site, device, plot, taken_at, trait, value, unit, method, uncertainty FROM readings WHERE trait IS NOT NULL"
)


def exported(kind: str, folder: Path) -> list[tuple[Any, ...]]:
    return sorted((_in_utc(row) for row in ask(kind, folder, VALUES)), key=repr)


def _in_utc(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(cell.astimezone(timezone.utc) if isinstance(cell, datetime) else cell for cell in row)


def stored(store: Store, **selection: Any) -> list[tuple[Any, ...]]:
    columns = ("site", "device", "plot", "taken_at", "trait", "value", "unit", "method", "uncertainty")
    with store.reading() as connection:
        rows = [row for page in every_reading(connection, Selection(**selection)) for row in page]
    return sorted((tuple(row[name] for name in columns) for row in rows), key=repr)


@pytest.mark.parametrize("kind", KINDS)
def test_duckdb_reads_what_the_store_holds(store: Store, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "out"
    outcome = export(store, folder, choice(kind))
    found = exported(kind, folder)
    assert found == stored(store)
    ((rows, missing, days),) = ask(
        kind, folder, "SELECT count(*), count(*) FILTER (trait IS NULL), count(DISTINCT date) FROM readings"
    )
    assert rows == outcome.rows
    assert missing == 3 * sum(seq % 10 == 0 or seq % 11 == 0 or seq % 13 == 0 for seq in range(1, READINGS + 1))
    assert days == 2
    assert {path.parent.parent.name for path in folder.rglob("*.parquet")} == {"site=north", "site=south"}
    assert {path.parent.name for path in folder.rglob("*.parquet")} == {"date=2026-04-22", "date=2026-06-01"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_adds_what_is_new_and_nothing_twice_however_late_it_comes(
    store: Store, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "out"
    assert export(store, folder, choice(kind)).run == 1
    assert export(store, folder, choice(kind)).numbers == 0
    late = [entry(seq, at=NOON - timedelta(days=seq)) for seq in (40, 45)]
    store.commit([letter(batch_of(late), site="north", device="bench-1")])
    outcome = export(store, folder, choice(kind))
    assert (outcome.run, outcome.rows) == (2, 4)
    store.commit([letter(batch_of([entry(seq) for seq in range(37, 48)]), site="north", device="bench-1")])
    export(store, folder, choice(kind))
    assert exported(kind, folder) == stored(store)


class Killed(BaseException):
    pass


def die(*_: Any) -> None:
    raise Killed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moment", ["before the rows", "between the rows and their note"])
def test_a_run_that_is_killed_is_done_again_with_the_same_numbers(
    store: Store, tmp_path: Path, kind: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    breaks = {"before the rows": ("rows", die), "between the rows and their note": ("save_position", _first_only())}
    with monkeypatch.context() as patched:
        patched.setattr(run, *breaks[moment])
        with pytest.raises(Killed):
            export(store, folder, choice(kind))
    store.commit([letter(batch_of([entry(seq) for seq in range(36, 39)]), site="north", device="bench-1")])
    assert export(store, folder, choice(kind)).run == 1
    export(store, folder, choice(kind))
    assert exported(kind, folder) == stored(store)


def _first_only() -> Callable[..., None]:
    save, calls = run.save_position, list[None]()

    def saved(*arguments: Any) -> None:
        calls.append(None)
        if len(calls) > 1:
            raise Killed
        save(*arguments)

    return saved


def test_a_choice_is_kept_and_another_one_is_refused(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    june = datetime(2026, 6, 1, tzinfo=timezone.utc)
    chosen = choice("parquet", sites=("north",), since=june)
    export(store, folder, chosen)
    assert exported("parquet", folder) == stored(store, site="north", since=june)
    for other in (choice("parquet"), choice("delta", sites=("north",), since=june)):
        with pytest.raises(NotPossible, match="holds parquet of north"):
            export(store, folder, other)
    with pytest.raises(NotPossible, match="not empty"):
        export(store, tmp_path, choice("parquet"))


def test_two_runs_at_once_are_one_too_many(store: Store, tmp_path: Path) -> None:
    with run._alone(tmp_path / "out"), pytest.raises(NotPossible, match="another run"):
        export(store, tmp_path / "out", choice("parquet"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_exports_and_says_what_it_did(store: Store, tmp_path: Path, kind: str) -> None:
    config = tmp_path / "fleet.yaml"
    config.write_text(f"state_dir: .\ndatabase: sqlite:///{tmp_path / 'fleet.sqlite'}\n")
    words = ["export", kind, str(tmp_path / "out"), "--config", str(config), "--site", "south"]
    told = CliRunner().invoke(command_line, words)
    assert (told.exit_code, "run 1:" in told.output) == (0, True), told.output
    assert "nothing new" in CliRunner().invoke(command_line, words).output
    assert CliRunner().invoke(command_line, words[:-2]).exit_code == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_join_to_what_was_known_then_sees_nothing_of_later(store: Store, tmp_path: Path, kind: str) -> None:
    """The question of docs/warehouse.md: for each labelled moment the newest value that the fleet had by then."""
    folder = tmp_path / "out"
    export(store, folder, choice(kind))
    question = """
        WITH area AS (
            SELECT plot, taken_at, value FROM readings
            WHERE site = 'north' AND device = 'bench-1' AND trait = 'projected_leaf_area' AND clock_ok
        ), labels AS (
            SELECT * FROM (VALUES ('R2', TIMESTAMPTZ '2026-06-01 12:06:30+00'), ('R2', '2026-06-01 12:07:00+00'),
                                  ('R1', '2026-06-01 11:00:00+00')) AS t(plot, moment)
        )
        SELECT labels.plot, moment, value FROM labels ASOF LEFT JOIN area
        ON labels.plot = area.plot AND labels.moment >= area.taken_at ORDER BY 1, 2
    """
    assert [(plot, value) for plot, _, value in ask(kind, folder, question)] == [
        ("R1", None),
        ("R2", 1004.0),
        ("R2", 1007.0),
    ]
