"""What is drawn, paged and rolled up is what was measured: nothing twice, nothing lost, on both databases."""

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from statistics import fmean, pvariance

import pytest
from sqlalchemy import select

from edge.contract.messages import ObservationBatch
from edge.contract.records import EventKind, ObservationEntry, TraitValue
from edge.contract.traits import LEAF_COUNT, PROJECTED_LEAF_AREA, Unit
from fleet import schema
from fleet.errors import BadCursor, NotFound, NotPossible
from fleet.questions.crops import set_crop
from fleet.questions.overview import overview
from fleet.questions.readings import Cursor, Selection, every_reading, page_of_readings
from fleet.questions.series import Place, series
from fleet.store import Store
from fleet.upkeep.retention import let_readings_go
from fleet.upkeep.rollups import roll_up
from tests.sim.fleet_records import EPOCH, NOON, batch, clock, event, letter, observation

PLACE = Place("site", "dev", "cam", "P1")
LATER = NOON + timedelta(days=40)
LEAVES = LEAF_COUNT.name


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    yield opened
    opened.close()


def reading(
    seq: int, at: datetime, value: float, *, plot: str = "P1", ok: bool = True, model: str = "a"
) -> ObservationEntry:
    entry = observation(seq, plot=plot)
    leaves = TraitValue(trait=LEAVES, value=value, unit=Unit.COUNT, method="counted")
    area = TraitValue(trait=PROJECTED_LEAF_AREA.name, value=100 * value, unit=Unit.PX2, method="seen", uncertainty=2.0)
    changes = {"traits": (leaves, area), "clock": clock(at, ok=ok), "model": "sha256:" + model * 64}
    return entry.model_copy(update={"record": entry.record.model_copy(update=changes)})


def file(store: Store, entries: list[ObservationEntry], device: str = "dev") -> None:
    for begin in range(0, len(entries), 500):
        items = tuple(entries[begin : begin + 500])
        store.commit([letter(ObservationBatch(epoch=EPOCH, items=items), device=device)])


def rolled(store: Store, now: datetime = LATER) -> None:
    with store.writing() as connection:
        while roll_up(connection, now, limit=40):
            pass


def drawn(store: Store, since: datetime, until: datetime, points: int, place: Place = PLACE):
    with store.reading() as connection:
        return series(connection, place, LEAVES, since, until, points)


@pytest.mark.parametrize(("days", "points"), [(0.2, 5_000), (0.2, 20), (3, 50), (20, 15)])
@pytest.mark.parametrize("is_rolled", ["not", "half", "all"])
def test_every_width_of_bucket_sums_up_the_same_readings(
    store: Store, days: float, points: int, is_rolled: str
) -> None:
    rng = random.Random(3)
    moments = sorted(NOON + timedelta(seconds=rng.uniform(0, days * 86_400)) for _ in range(400))
    entries = [reading(seq, at, rng.gauss(20, 5)) for seq, at in enumerate(moments, 1)]
    half = len(entries) // 2 if is_rolled == "half" else len(entries)
    file(store, entries[:half:2])
    if is_rolled != "not":
        rolled(store)
    file(store, [*entries[1:half:2], *entries[half:]])
    if is_rolled == "all":
        rolled(store)
    until = NOON + timedelta(days=days)
    found = drawn(store, NOON, until, points)
    (line,) = found.lines
    values = [entry.record.traits[0].value for entry in entries]
    assert sum(point.count for point in line.points) == len(values)
    assert math.isclose(math.fsum(point.value * point.count for point in line.points), math.fsum(values))
    assert min(point.low for point in line.points) == min(values)
    assert max(point.high for point in line.points) == max(values)
    assert len(line.points) <= max(points, 10) + 2
    assert [point.at for point in line.points] == sorted(point.at for point in line.points)


def test_a_roll_up_has_the_figures_of_its_readings_whatever_came_late_or_twice(store: Store) -> None:
    rng = random.Random(8)
    values = [rng.gauss(1e6, 1) for _ in range(120)]
    entries = [reading(seq, NOON + timedelta(minutes=seq - 1), value) for seq, value in enumerate(values, 1)]
    file(store, entries[::3])
    rolled(store)
    file(store, entries)
    file(store, entries[5:50])
    rolled(store)
    with store.reading() as connection:
        kind = select(schema.kinds.c.id).where(schema.kinds.c.trait == LEAVES).scalar_subquery()
        for table, parts in ((schema.hourly, [values[:60], values[60:]]), (schema.daily, [values])):
            rows = connection.execute(select(table).where(table.c.kind_id == kind).order_by(table.c.start)).all()
            assert [row.count for row in rows] == [len(part) for part in parts]
            for row, part in zip(rows, parts, strict=True):
                assert math.isclose(row.mean, fmean(part))
                assert math.isclose(row.m2 / row.count, pvariance(part), rel_tol=1e-6)
                assert (row.low, row.high) == (min(part), max(part))


def test_a_reading_of_an_unset_clock_counts_when_it_arrived(store: Store) -> None:
    file(store, [reading(1, datetime.fromisoformat("1970-01-01T00:00:10+00:00"), 5, ok=False)])
    with store.reading() as connection:
        (row,), _ = page_of_readings(connection, Selection(trait=LEAVES))
    assert row["taken_at"] > NOON
    assert not row["clock_ok"]


def test_a_hole_is_a_gap_and_a_new_model_and_an_event_are_marked(store: Store) -> None:
    early = [reading(seq, NOON + timedelta(minutes=seq), 5) for seq in range(1, 31)]
    late = [reading(seq, NOON + timedelta(minutes=seq + 120), 6, model="b") for seq in range(31, 61)]
    file(store, early + late)
    store.commit([letter(event(61, EventKind.MODEL_ACTIVATED))])
    found = drawn(store, NOON, NOON + timedelta(hours=4), 1000)
    assert found.gaps == ((NOON + timedelta(minutes=30), NOON + timedelta(minutes=151)),)
    assert found.model_changes == ((NOON + timedelta(minutes=151), "sha256:" + "b" * 64),)
    assert [each["kind"] for each in found.events] == ["model_activated"]


def test_values_of_another_unit_are_another_line(store: Store) -> None:
    entries = [reading(seq, NOON + timedelta(minutes=seq), 5) for seq in range(1, 5)]
    other = TraitValue(trait=LEAVES, value=1.0, unit=Unit.FRACTION, method="guessed")
    entries[3] = entries[3].model_copy(update={"record": entries[3].record.model_copy(update={"traits": (other,)})})
    file(store, entries)
    found = drawn(store, NOON, NOON + timedelta(hours=1), 100)
    assert [(line.unit, len(line.points)) for line in found.lines] == [("count", 3), ("fraction", 1)]


def test_ten_years_are_bounded_by_the_points_that_were_asked_for(store: Store) -> None:
    begin = NOON - timedelta(days=3_650)
    file(store, [reading(seq, begin + timedelta(days=5 * seq), seq) for seq in range(1, 700)])
    rolled(store)
    found = drawn(store, begin, NOON, 100)
    assert len(found.lines[0].points) <= 102
    assert sum(point.count for point in found.lines[0].points) == 699


def test_a_place_that_nobody_heard_of_is_said(store: Store) -> None:
    with pytest.raises(NotFound, match="P9"):
        drawn(store, NOON, LATER, 100, Place("site", "dev", "cam", "P9"))


def test_pages_hold_every_reading_once_in_order_whatever_their_size(store: Store) -> None:
    for device in ("dev", "other"):
        file(store, [reading(seq, NOON + timedelta(minutes=seq // 3), seq) for seq in range(1, 40)], device)
    with store.reading() as connection:
        whole, cursor = page_of_readings(connection, Selection())
        assert cursor is None
        assert len(whole) == 2 * 2 * 39
        for size in (1, 7, 50):
            paged = [row for page in every_reading(connection, Selection(), size) for row in page]
            assert paged == whole
    assert [row["taken_at"] for row in whole] == sorted(row["taken_at"] for row in whole)


def test_a_selection_narrows_by_place_crop_trait_model_and_time(store: Store) -> None:
    file(store, [reading(seq, NOON + timedelta(minutes=seq), seq, plot=f"P{seq % 2}") for seq in range(1, 11)])
    file(store, [reading(1, NOON, 1, model="b")], "other")
    with store.writing() as connection:
        set_crop(connection, "site", "dev", "cam", "basil")
        set_crop(connection, "site", "dev", "cam", "lettuce", plot="P1")
    for selection, count in (
        (Selection(site="elsewhere"), 0),
        (Selection(device="dev"), 20),
        (Selection(device="dev", plot="P1", trait=LEAVES), 5),
        (Selection(crop="lettuce"), 10),
        (Selection(crop="basil", trait=LEAVES), 5),
        (Selection(model="sha256:" + "b" * 64), 2),
        (Selection(since=NOON + timedelta(minutes=2), until=NOON + timedelta(minutes=5)), 6),
        (Selection(trait="'; DROP TABLE kinds; --"), 0),
    ):
        with store.reading() as connection:
            assert len(page_of_readings(connection, selection)[0]) == count, selection


@pytest.mark.parametrize(
    "text", ["", "x", "e30", "W10", "WyIyMDI2LTA2LTAxVDAwOjAwOjAwIiwxLDIsM10", "A" * 10_000, "\N{SNOWMAN}"]
)
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.parse(text)


def test_a_cursor_survives_its_text() -> None:
    cursor = Cursor(NOON, 3, 2**53, 7)
    assert Cursor.parse(str(cursor)) == cursor


def test_a_crop_of_an_unknown_plot_is_said(store: Store) -> None:
    file(store, [reading(1, NOON, 1)])
    with store.writing() as connection, pytest.raises(NotFound, match="P7"):
        set_crop(connection, "site", "dev", "cam", "basil", plot="P7")


@pytest.mark.parametrize("crop", ["", "  ", "x" * 65])
def test_a_crop_has_a_name(store: Store, crop: str) -> None:
    with store.writing() as connection, pytest.raises(NotPossible):
        set_crop(connection, "site", "dev", "cam", crop)


def test_the_overview_shows_now_against_yesterday_and_what_is_missing(store: Store) -> None:
    yesterday = [reading(seq, NOON + timedelta(minutes=seq), 10 + seq % 2, plot=f"P{seq % 2}") for seq in range(1, 21)]
    file(store, [*yesterday, reading(21, NOON + timedelta(days=1), 15, plot="P0")])
    file(store, [reading(25, NOON + timedelta(days=1), 17, plot="P1")])
    store.commit([letter(event(26)), letter(batch([1]), device="other")])
    rolled(store)
    with store.reading() as connection:
        found = overview(connection, NOON + timedelta(days=1, minutes=30))
        (first,) = overview(connection, NOON, limit=1).cameras
        (second,) = overview(connection, NOON, after=first.name).cameras
    shown = found.cameras[0]
    assert (first.device, second.device, found.devices, found.more) == ("dev", "other", 2, False)
    assert [(one.trait, one.now, one.yesterday) for one in shown.headlines] == [
        (LEAVES, 32, 21),
        (PROJECTED_LEAF_AREA.name, 3200, 2100),
    ]
    assert (shown.plots, shown.missing, found.events[0]["device"]) == (2, 3, "dev")


def unset(seq: int, minute: int, value: float) -> ObservationEntry:
    """Taken a minute after another by the monotonic clock, and by a wall clock that stands in 1970."""
    entry = reading(seq, datetime.fromisoformat("1970-01-01T00:00:00+00:00"), value, ok=False)
    return at_minute(entry, minute)


def at_minute(entry: ObservationEntry, minute: int) -> ObservationEntry:
    clocks = entry.record.clock.model_copy(update={"monotonic_s": 60.0 * minute})
    return entry.model_copy(update={"record": entry.record.model_copy(update={"clock": clocks})})


@pytest.mark.parametrize("unset_first", [True, False])
@pytest.mark.parametrize("rolled_before", [True, False])
def test_a_clock_that_is_set_later_puts_earlier_records_in_their_time_and_hours(
    store: Store, unset_first: bool, rolled_before: bool
) -> None:
    early = [unset(seq, seq, seq) for seq in range(1, 11)]
    late = [at_minute(reading(11, NOON, 11), 200)]
    for entries in [early, late] if unset_first else [late, early]:
        file(store, entries)
        if rolled_before:
            rolled(store, datetime.now(timezone.utc) + timedelta(hours=3))
    rolled(store, datetime.now(timezone.utc) + timedelta(hours=3))
    with store.reading() as connection:
        rows, _ = page_of_readings(connection, Selection(trait=LEAVES))
        hours = connection.execute(select(schema.hourly).order_by(schema.hourly.c.start)).all()
        accounts = connection.execute(select(schema.hours.c.received).order_by(schema.hours.c.hour)).scalars().all()
    expected = [NOON - timedelta(minutes=200 - minute) for minute in range(1, 11)]
    assert [row["taken_at"] for row in rows] == [*expected, NOON]
    assert [count for count in accounts if count] == [10, 1]
    assert max(row.count for row in hours) == 10
    assert sum(row.count for row in hours) == 2 * 11


def test_letting_readings_go_keeps_what_they_came_to_also_for_those_that_come_later(store: Store) -> None:
    rng = random.Random(4)
    values = [rng.gauss(20, 4) for _ in range(60)]
    entries = [reading(seq, NOON + timedelta(minutes=seq - 1), value) for seq, value in enumerate(values, 1)]
    file(store, entries[:40])
    rolled(store)
    with store.writing() as connection:
        while let_readings_go(connection, NOON + timedelta(days=1)):
            pass
        assert page_of_readings(connection, Selection())[0] == []
    file(store, entries)
    rolled(store)
    with store.reading() as connection:
        assert page_of_readings(connection, Selection())[0] == []
        kind = select(schema.kinds.c.id).where(schema.kinds.c.trait == LEAVES).scalar_subquery()
        for table in (schema.hourly, schema.daily):
            row = connection.execute(select(table).where(table.c.kind_id == kind)).one()
            assert (row.count, row.low, row.high) == (60, min(values), max(values))
            assert math.isclose(row.mean, fmean(values))
            assert math.isclose(row.m2 / row.count, pvariance(values), rel_tol=1e-9)


def test_nothing_goes_that_is_not_rolled_up(store: Store) -> None:
    file(store, [reading(1, NOON, 1)])
    with store.writing() as connection:
        assert let_readings_go(connection, NOON + timedelta(days=1)) == 0
        assert len(page_of_readings(connection, Selection())[0]) == 2


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE observations; --", "<script>alert(1)</script>", "a\0b", "%s %(x)s {}", "\\"]
)
def test_text_of_any_kind_is_kept_as_text(store: Store, text: str) -> None:
    entry = reading(1, NOON, 5)
    hostile = TraitValue(trait=LEAVES, value=5, unit=Unit.COUNT, method=text)
    changes = {"traits": (hostile,), "error": text, "clock": clock(NOON).model_copy(update={"boot_id": text})}
    file(store, [entry.model_copy(update={"record": entry.record.model_copy(update=changes)})])
    told = event(2).items[0]
    record = told.record.model_copy(update={"message": text, "detail": {text: text}})
    store.commit([letter(event(2).model_copy(update={"items": (told.model_copy(update={"record": record}),)}))])
    with store.reading() as connection:
        (row,), _ = page_of_readings(connection, Selection())
        (happened,) = connection.execute(select(schema.events)).all()
    kept = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert (row["method"], row["value"]) == (kept, 5.0)
    assert (happened.message, happened.detail) == (kept, {kept: kept})
    assert store.watermarks()[0].seq == 2


def test_any_range_of_time_and_any_number_of_points_is_bounded(store: Store) -> None:
    file(store, [reading(seq, NOON + timedelta(seconds=seq), seq) for seq in range(1, 200)])
    begin, end = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (1970, 9999))
    for points in (-5, 0, 10**9):
        found = drawn(store, begin, end, points)
        assert sum(point.count for line in found.lines for point in line.points) == 199
    assert drawn(store, end, begin, 100).lines == ()
    with store.reading() as connection:
        assert len(page_of_readings(connection, Selection(since=begin, until=end), limit=-1)[0]) == 1
