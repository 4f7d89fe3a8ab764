"""PostgreSQL answers as SQLite does: every question of both APIs and the exports, on the same records."""

import re
from datetime import timedelta
from pathlib import Path

import httpx

from fleet.alerts import book
from fleet.alerts.rules import Rule, Subject
from fleet.alerts.standing import Alert, Look, State
from fleet.drift.labels import Label, Said, say
from fleet.store import Store
from tests.sim.fleet_drift import NOON, drift, window
from tests.sim.fleet_filled import EVIL, filled
from tests.sim.fleet_records import letter
from tests.sim.postgres import new_database
from tests.unit.test_fleet_web import served

JUNE = "since=2026-06-01T00:00:00Z&until=2026-06-02T00:00:00Z"
R1 = "/api/v1/plots/north/bench-1/top/R1"
QUESTIONS = (
    "/api/v1/devices?limit=2", "/api/v1/devices/north/bench-1", "/api/v1/devices/north/bench-1/streams",
    "/api/v1/devices/north/bench-2/latest?limit=2", "/api/v1/cameras", "/api/v1/plots?limit=4", R1,
    f"/api/v1/observations?{JUNE}&trait=leaf_count&limit=20", "/api/v1/observations?outcome=no_plant&site=north",
    f"/api/v1/readings?{JUNE}&device=bench-2&limit=20", "/api/v1/events?kind=camera_lost", "/api/v1/gaps",
    f"{R1}/series?trait=projected_leaf_area&{JUNE}", f"{R1}/readings.csv?{JUNE}", f"{R1}/growth",
    "/brapi/v2/studies", "/brapi/v2/observationunits?pageSize=4&page=1",
    "/brapi/v2/observations?pageSize=20&page=2", "/brapi/v2/observations/table?trialDbId=south", "/brapi/v2/seasons",
    "/api/v1/drift/windows?limit=2&site=north", f"/api/v1/drift/heatmap?{JUNE}", "/api/v1/drift/causes?day=2026-06-01",
    "/api/v1/drift/labels?limit=1", "/api/v1/alerts", "/api/v1/alerts/past?limit=2",
    "/brapi/v2/commoncropnames", "/brapi/v2/trials", "/brapi/v2/variables?studyDbId=north:bench-1:top",
)  # fmt: skip
NOW = re.compile(r"\d+-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
"""Moments of receiving: two stores were filled at two times."""


def test_postgres_answers_as_sqlite(postgres: str, tmp_path: Path) -> None:
    with new_database(postgres) as url:
        stores = [drifted(filled(Store(name))) for name in (f"sqlite:///{tmp_path / 'fleet.sqlite'}", url)]
        with served(stores[0]) as on_sqlite, served(stores[1]) as on_postgres:
            for question in QUESTIONS:
                assert answer(on_postgres, question) == answer(on_sqlite, question), question
        for store in stores:
            store.close()


def drifted(store: Store) -> Store:
    """Three days of two cameras, one of which has changed, and what people said of it."""
    changed = window(0, camera="top", alarms=("sharpness",), scores={"sharpness": -9.0}, evidence={"sharpness": 40.0})
    quiet = [window(day, camera=name) for day in (-1, 0) for name in ("top", "side")]
    store.commit([letter(drift(*quiet, changed, epoch="d" * 32), site="north", device="bench-1")])
    said = {"said": Said.EXPECTED, "since": NOON - timedelta(days=9), "note": EVIL[2], "who": "ana", "said_at": NOON}
    with store.writing() as connection:
        say(connection, Label(site="north", device="bench-1", camera="top", until=NOON, **said))
        say(connection, Label(site="south", device=None, camera=None, until=None, **said))
        subject = Subject(Rule.DRIFT, "north", "bench-1", "top")
        over = Alert(subject, State.FIRING, 1.0, "has changed", NOON, NOON)
        book.keep(connection, Look({}, (), (over,)), NOON)
    return store


def answer(client: httpx.Client, question: str) -> tuple[int, str]:
    found = client.get(question)
    assert found.status_code == 200, (question, found.text)
    following = NOW.sub("…", found.text)
    after = re.search(r'"next":"([^"]+)"', found.text)
    if after:
        following += NOW.sub("…", client.get(f"{question}&after={after[1]}").text)
    return found.status_code, following
