"""The store looks after itself: hours are rolled up, parts are made ahead of time, old readings go."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import func, select, text

from edge.contract.messages import ObservationBatch
from fleet import migrations, schema
from fleet.settings import StoreSettings
from fleet.store import Store
from fleet.upkeep.partitions import PART, extend, let_go, parts
from fleet.upkeep.upkeep import look_after
from tests.sim.fleet_records import EPOCH, letter, observation

NOW = datetime.now(timezone.utc).replace(minute=30, second=0, microsecond=0)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    yield opened
    opened.close()


def file(store: Store, moments: list[datetime], first: int = 1) -> None:
    items = tuple(observation(seq, at=at) for seq, at in enumerate(moments, first))
    store.commit([letter(ObservationBatch(epoch=EPOCH, items=items))])


def count(store: Store, table: object) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[call-overload]


def test_a_look_rolls_up_what_is_over_and_lets_go_of_what_is_old(store: Store) -> None:
    file(store, [NOW - timedelta(days=days) for days in (50, 40, 3, 2, 1)] + [NOW])
    look_after(store, StoreSettings(keep_readings_days=30), NOW, threading.Event())
    assert count(store, schema.hourly) == 5
    assert count(store, schema.daily) == 5
    assert count(store, schema.observations) == 4
    look_after(store, StoreSettings(keep_readings_days=30), NOW, threading.Event())
    assert count(store, schema.hourly) == 5


def test_without_a_limit_nothing_goes(store: Store) -> None:
    file(store, [NOW - timedelta(days=3_000), NOW])
    look_after(store, StoreSettings(), NOW, threading.Event())
    assert count(store, schema.observations) == 2


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_new_readings_lie_in_parts_and_old_parts_go_whole(store: Store) -> None:
    with store.writing() as connection:
        made = extend(connection, NOW)
        assert len(made) == 4
        assert extend(connection, NOW) == []
        assert migrations.differences(connection) == []
    file(store, [NOW, NOW - timedelta(days=400)])
    with store.writing() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {made[0]}")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM observations_other")).scalar_one() == 1
        assert let_go(connection, NOW - timedelta(days=300)) == 1
        assert let_go(connection, NOW + PART) >= 1
        assert made[0] not in {name for name, _ in parts(connection)}


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_part_is_not_made_over_readings_that_came_before_it(store: Store) -> None:
    file(store, [NOW])
    with store.writing() as connection:
        assert len(extend(connection, NOW)) == 3
    file(store, [NOW], first=2)
    assert count(store, schema.observations) == 2
