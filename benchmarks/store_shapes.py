"""Three shapes of the same trait values in PostgreSQL: a JSON document, one row for each value, an array.

python -m benchmarks.store_shapes [--observations 50000] [--rounds 3]

Each holds what an observation of twelve traits says (value, unit, method, uncertainty), and is asked for one trait of
one plot. Times are medians of rounds in turn.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg

from edge.contract.traits import VOCABULARY
from tests.sim.postgres import postgres_server

TRAITS = list(VOCABULARY.values())[:12]
PLOTS = 300
TABLES = {
    "json": "stream_id integer, seq bigint, plot_id integer, at timestamptz, traits jsonb, "
    "PRIMARY KEY (stream_id, seq)",
    "rows": "plot_id integer, kind_id integer, at timestamptz, stream_id integer, seq bigint, value double precision, "
    "uncertainty double precision, model_id integer, PRIMARY KEY (plot_id, kind_id, at, stream_id, seq)",
    "array": "stream_id integer, seq bigint, plot_id integer, at timestamptz, set_id integer, "
    "readings double precision[], deviations double precision[], PRIMARY KEY (stream_id, seq)",
}
QUERIES = {
    "json": "SELECT at, (one->>'value')::float FROM json, jsonb_array_elements(traits) one "
    "WHERE plot_id = 7 AND one->>'trait' = 'leaf_count' ORDER BY at",
    "rows": "SELECT at, value FROM rows WHERE plot_id = 7 AND kind_id = 2 ORDER BY at",
    "array": "SELECT at, readings[2] FROM array_ WHERE plot_id = 7 ORDER BY at",
}


def rows_of(shape: str, first: int, count: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for seq in range(first, first + count):
        plot = seq % PLOTS
        at = f"2026-01-{1 + seq // 40_000:02} {seq // 1_667 % 24:02}:{seq // 28 % 60:02}:{seq % 60:02}+00"
        values = [float(seq % 97) + number / 7 for number in range(len(TRAITS))]
        if shape == "json":
            traits = [
                {"trait": one.name, "value": value, "unit": one.unit.value, "method": one.method, "uncertainty": 0.5}
                for one, value in zip(TRAITS, values, strict=True)
            ]
            found.append((1, seq, plot, at, json.dumps(traits)))
        elif shape == "rows":
            found += [(plot, number, at, 1, seq, value, 0.5, 1) for number, value in enumerate(values)]
        else:
            text = "{" + ",".join(map(repr, values)) + "}"
            found.append((1, seq, plot, at, 1, text, "{" + ",".join(["0.5"] * len(TRAITS)) + "}"))
    return found


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def fill(connection: psycopg.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--observations", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    names = {"json": "json", "rows": "rows", "array": "array_"}
    wrote: dict[str, list[float]] = {shape: [] for shape in TABLES}
    asked_ms: dict[str, list[float]] = {shape: [] for shape in TABLES}
    with (
        postgres_server("-c shared_buffers=512MB -c max_wal_size=4GB") as url,
        psycopg.connect(url.replace("+psycopg", "")) as connection,
    ):
        for shape, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {names[shape]} ({columns})")
            if shape != "rows":
                connection.execute(f"CREATE INDEX ON {names[shape]} (plot_id, at)")
        part = asked.observations // asked.rounds
        for turn in range(asked.rounds):
            for shape in TABLES:
                rows = rows_of(shape, turn * part, part)
                wrote[shape].append(timed(lambda: fill(connection, names[shape], rows)))  # noqa: B023
        connection.execute("ANALYZE")
        for _ in range(15):
            for shape, query in QUERIES.items():
                asked_ms[shape].append(1e3 * timed(lambda: connection.execute(query).fetchall()))  # noqa: B023
        for shape, table in names.items():
            size = connection.execute(f"SELECT pg_total_relation_size('{table}')").fetchone()
            assert size
            document = {
                "shape": shape,
                "bytes_per_observation": round(size[0] / (part * asked.rounds)),
                "write_us_per_observation": round(1e6 * statistics.median(wrote[shape]) / part, 1),
                "one_plot_ms": round(statistics.median(asked_ms[shape]), 2),
            }
            print(json.dumps(document))


if __name__ == "__main__":
    main()
