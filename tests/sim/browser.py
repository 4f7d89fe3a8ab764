"""The system's Chromium without a window, driven by Playwright; and a fleet service to look at, full of plants."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from edge.contract.messages import ObservationBatch
from edge.contract.records import Clock, Observation, ObservationEntry, Outcome, TraitValue
from edge.contract.traits import PROJECTED_LEAF_AREA, Unit
from fleet import schema
from fleet.access import Role
from fleet.ingest.intake import Letter
from fleet.ingest.rows import hour_of
from fleet.login import users
from fleet.store import Store
from fleet.upkeep.rollups import roll_up
from tests.sim.grower import history
from tests.sim.rollout_records import OLD, filled

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PLOTS = ("R1C1", "R1C2", "R2C1")
EPOCH, LONG_EPOCH = "a" * 32, "c" * 32
LONG_POINTS = 100_000
OPERATOR, PASSWORD = "ana", "a long way through the greenhouse"


@contextmanager
def chromium() -> Iterator[Any]:
    """One browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def planted(folder: Path) -> dict[str, int]:
    """A store with two weeks of three plots, a plot of 100,000 readings, and ten devices for rollouts.

    Returns the last number of each epoch.
    """
    (folder / "state").mkdir(parents=True)
    store = Store(f"sqlite:///{folder / 'state' / 'fleet.sqlite'}")
    now = datetime.now(timezone.utc)
    for batch in history(EPOCH, "top", PLOTS, now, 14, timedelta(hours=1), hole=(5.0, 3.0)):
        store.commit([Letter("north", "bench-1", batch)])
    store.commit([Letter("north", "bench-2", _first(now))])
    filled(store)
    with store.writing() as connection:
        while roll_up(connection, now):
            pass
        _more(connection)
        users.add(connection, OPERATOR, Role.ADMIN, PASSWORD, "test")
    found = {mark.epoch: mark.seq for mark in store.watermarks()}
    store.close()
    return found


def _first(until: datetime) -> ObservationBatch:
    """The first of one plot's readings, a reading a minute for ten weeks."""
    area = TraitValue(trait=PROJECTED_LEAF_AREA.name, value=5_000, unit=Unit.MM2, method="pixels")
    record = Observation(
        camera="top", plot="L1", frame_id=1, outcome=Outcome.MEASURED, traits=(area,), model=OLD.ref.digest,
        clock=Clock(at=until - timedelta(minutes=LONG_POINTS), monotonic_s=1.0, boot_id="b", clock_ok=True),
    )  # fmt: skip
    return ObservationBatch(epoch=LONG_EPOCH, items=(ObservationEntry(seq=1, record=record),))


def _more(connection: Connection) -> None:
    """The rest of them, a saw, as rows: it is the chart that is under test. No roll-up holds them yet."""
    streams, table = schema.streams, schema.observations
    stream_id = connection.execute(select(streams.c.id).where(streams.c.epoch == LONG_EPOCH)).scalar_one()
    first = dict(connection.execute(select(table).where(table.c.stream_id == stream_id)).mappings().one())
    rows, hours = [], Counter[datetime]()
    for number in range(1, LONG_POINTS):
        at = first["taken_at"] + timedelta(minutes=number)
        hours[hour_of(at)] += 1
        own = {"seq": number + 1, "taken_at": at, "captured_at": at, "readings": [5_000.0 + number % 1_440]}
        rows.append({**first, **own})
    connection.execute(insert(table), rows)
    of_hour = [{"stream_id": stream_id, "hour": hour, "received": count, "rolled": 0} for hour, count in hours.items()]
    connection.execute(schema.hours.delete().where(schema.hours.c.stream_id == stream_id))
    connection.execute(insert(schema.hours), of_hour)
    whole = {"watermark": LONG_POINTS, "max_seq": LONG_POINTS, "received": LONG_POINTS}
    connection.execute(update(streams).where(streams.c.id == stream_id).values(**whole))
