"""A MIAPPE data set: its tables point to each other, and its numbers are the store's."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import app as command_line
from fleet.questions.readings import Selection, every_reading
from fleet.questions.variables import Variable
from fleet.store import Store
from tests.sim.fleet_filled import filled

TABLES = (
    "investigation",
    "study",
    "data_file",
    "biological_material",
    "observation_unit",
    "observed_variable",
    "event",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = filled(Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}"))
    yield opened
    opened.close()


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    config = tmp_path / "fleet.yaml"
    config.write_text(f"state_dir: .\ndatabase: sqlite:///{tmp_path / 'fleet.sqlite'}\n")
    told = CliRunner().invoke(
        command_line, ["export", "miappe", str(tmp_path / "out"), "--config", str(config), *words]
    )
    return told.exit_code, told.output


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_tables_point_to_each_other_and_the_numbers_are_the_stores(store: Store, tmp_path: Path) -> None:
    assert run(tmp_path, "--title", "Basil in June") == (0, f"91 observations into {tmp_path / 'out'}\n")
    tables = {name: read(tmp_path / "out" / f"{name}.tsv") for name in TABLES}
    assert tables["investigation"][0]["Investigation title"] == "Basil in June"
    studies = {row["Study unique ID"] for row in tables["study"]}
    units = {row["Observation unit ID"] for row in tables["observation_unit"]}
    variables = {row["Variable ID"]: row for row in tables["observed_variable"]}
    assert studies == {"north:bench-1:top", "north:bench-2:top", "south:gutter-1:top"}
    assert {row["Study unique ID"] for row in tables["observation_unit"]} == studies
    assert variables["projected_leaf_area:px2"]["Trait description"].endswith("(related: TO:0000540)")
    found = []
    for file in tables["data_file"]:
        for row in read(tmp_path / "out" / file["Data file link"]):
            assert (row["Study unique ID"], row["Observation unit ID"] in units) == (file["Study unique ID"], True)
            cells = {name: row[name] for name in variables if row.get(name)}
            assert bool(cells) == (row["Outcome"] == "measured")
            found += [(row["Observation unit ID"], row["Time"], name, float(cell)) for name, cell in cells.items()]
    assert sorted(found) == sorted(stored(store))


def stored(store: Store) -> Iterator[tuple[str, str, str, float]]:
    with store.reading() as connection:
        for page in every_reading(connection, Selection()):
            for row in page:
                unit = ":".join(row[name] for name in ("site", "device", "camera", "plot"))
                yield (
                    unit,
                    row["taken_at"].isoformat(),
                    Variable(row["trait"], row["unit"], row["method"]).id,
                    row["value"],
                )


def test_a_part_is_written_and_a_folder_is_never_written_over(store: Store, tmp_path: Path) -> None:
    assert run(tmp_path, "--site", "south", "--since", "2026-06-01T12:10:00")[1].startswith("21 observations")
    assert [row["Study unique ID"] for row in read(tmp_path / "out" / "study.tsv")] == ["south:gutter-1:top"]
    code, told = run(tmp_path)
    assert (code, "there already" in told) == (4, True)
    assert not list(tmp_path.glob(".out*"))
