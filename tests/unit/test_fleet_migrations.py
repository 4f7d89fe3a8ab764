"""A database gets from nothing, and from every earlier revision, to the tables that the code describes."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from fleet import migrations, schema
from fleet.errors import StoreUnusable
from fleet.store import Store
from tests.sim.fleet_records import batch, letter


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    yield opened
    opened.close()


def test_the_revisions_make_the_tables_that_the_code_describes(store: Store) -> None:
    with store.reading() as connection:
        assert migrations.differences(connection) == []


def test_a_difference_is_found(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("DROP TABLE drift_windows"))
    with store.reading() as connection:
        assert "drift_windows" in str(migrations.differences(connection))


def test_the_newest_file_is_the_newest_revision(store: Store) -> None:
    with store.reading() as connection:
        scripts = ScriptDirectory.from_config(migrations.configuration(connection))
        assert migrations.current(connection) == migrations.known()[0] == scripts.get_current_head()


def test_every_revision_can_be_taken_back(store: Store) -> None:
    with store.writing() as connection:
        command.downgrade(migrations.configuration(connection), "base")
        left = set(inspect(connection).get_table_names()) - {"alembic_version"}
    assert not left


def test_a_store_of_a_later_release_is_refused(store: Store, database_url: str) -> None:
    stamp(store, "9999")
    for upgrade in (False, True):
        with pytest.raises(StoreUnusable, match="9999"):
            Store(database_url, upgrade=upgrade)


def test_a_store_of_an_earlier_release_is_upgraded_only_where_that_is_asked_for(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "known", lambda: ("0009", "0001"))
    with pytest.raises(StoreUnusable, match="db upgrade"):
        Store(database_url)


def test_tables_of_another_program_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("create table theirs (id integer)")
    other.close()
    with pytest.raises(StoreUnusable, match="theirs"):
        Store(f"sqlite:///{path}")
    with sqlite3.connect(path) as other:
        assert other.execute("select count(*) from sqlite_master").fetchone() == (1,)
    other.close()


def test_services_that_start_together_make_the_tables_once(database_url: str) -> None:
    script = "import sys; from fleet.store import Store; Store(sys.argv[1], upgrade=True).close()"
    started = [subprocess.Popen([sys.executable, "-c", script, database_url], stderr=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    store = Store(database_url)
    assert store.commit([letter(batch([1]))])[0].seq == 1
    store.close()


def test_postgresql_keeps_moments_with_their_zone(postgres: str) -> None:
    engine = create_engine(postgres)
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, schema.Moment):
                assert column.type.compile(engine.dialect) == "TIMESTAMP WITH TIME ZONE"
    engine.dispose()


def stamp(store: Store, revision: str) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
