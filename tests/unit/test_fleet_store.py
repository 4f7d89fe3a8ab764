"""The store files each record once, and says no more than what it has."""

import random
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from edge.contract.messages import Info, State
from fleet import schema
from fleet.errors import ConfigError, StoreUnavailable, StoreUnusable
from fleet.ingest.intake import Reject
from fleet.ingest.ledger import Watermark
from fleet.ingest.rejects import MAX_REJECTS
from fleet.questions import views
from fleet.store import Store
from tests.sim.fleet_records import EPOCH, NOON, OTHER_EPOCH, batch, event, gap, health, letter


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store(store_url)
    yield opened
    opened.close()


def account(store: Store, device: str = "dev", nth: int = 0) -> views.StreamAccount:
    with store.reading() as connection:
        found = views.find_device(connection, "site", device)
        assert found
        return views.stream_accounts(connection, found["id"])[nth]


def stored(store: Store) -> list[int]:
    with store.reading() as connection:
        return list(connection.execute(select(schema.observations.c.seq).order_by(schema.observations.c.seq)).scalars())


def test_a_batch_is_stored_and_its_watermark_returned(store: Store) -> None:
    assert store.commit([letter(batch(range(1, 51)))]) == [Watermark("site", "dev", EPOCH, 50)]
    assert stored(store) == list(range(1, 51))


def test_a_repeat_is_counted_stored_once_and_answered_again(store: Store) -> None:
    for _ in range(3):
        marks = store.commit([letter(batch([1, 2, 3])), letter(batch([2, 3]))])
        assert marks == [Watermark("site", "dev", EPOCH, 3)]
    found = account(store)
    assert (stored(store), found.received, found.repeated) == ([1, 2, 3], 3, 12)


def test_batches_out_of_order_move_the_watermark_only_over_what_is_there(store: Store) -> None:
    marks = [store.commit([letter(batch(seqs))])[0].seq for seqs in ([4, 5], [2], [7], [1], [3], [6])]
    assert marks == [0, 0, 0, 2, 5, 7]


def test_any_order_with_repeats_ends_complete(store: Store) -> None:
    rng = random.Random(5)
    pieces = [list(range(first, first + 5)) for first in range(1, 100, 5)] * 2
    rng.shuffle(pieces)
    for piece in pieces:
        store.commit([letter(batch(piece))])
    found = account(store)
    assert (found.watermark, found.received, found.repeated, found.missing) == (100, 100, 100, 0)


def test_a_gap_covers_its_range_and_its_numbers_are_dropped(store: Store) -> None:
    store.commit([letter(batch([1, 2]))])
    assert store.commit([letter(gap(3, 10))])[0].seq == 10
    found = account(store)
    assert (found.received, found.dropped, found.missing) == (2, 8, 0)


@pytest.mark.parametrize("gap_first", [True, False])
def test_a_record_that_arrives_inside_a_gap_is_received_and_not_dropped(store: Store, gap_first: bool) -> None:
    letters = [letter(gap(1, 10)), letter(batch([4, 5]))]
    for one in letters if gap_first else reversed(letters):
        store.commit([one])
    store.commit([letter(batch([4, 5]))])
    found = account(store)
    assert (stored(store), found.received, found.repeated, found.dropped) == ([4, 5], 2, 2, 8)


def test_overlapping_gaps_are_counted_once(store: Store) -> None:
    store.commit([letter(gap(1, 10)), letter(gap(5, 20)), letter(gap(1, 10))])
    assert (account(store).dropped, account(store).watermark) == (20, 20)


def test_events_and_observations_share_one_numbering(store: Store) -> None:
    assert store.commit([letter(event(1)), letter(batch([2])), letter(event(3))])[0].seq == 3


def test_devices_and_epochs_are_counted_apart(store: Store) -> None:
    marks = store.commit(
        [letter(batch([1, 2])), letter(batch([1]), device="other"), letter(batch([1, 2, 3], OTHER_EPOCH))]
    )
    assert {(mark.device, mark.epoch, mark.seq) for mark in marks} == {
        ("dev", EPOCH, 2),
        ("dev", OTHER_EPOCH, 3),
        ("other", EPOCH, 1),
    }
    assert {mark.device: mark.epoch for mark in store.watermarks()} == {"dev": OTHER_EPOCH, "other": EPOCH}


def test_what_health_announces_is_missing_until_it_comes_and_health_is_owed_no_answer(store: Store) -> None:
    assert store.commit([letter(health(12))]) == []
    assert (account(store).missing, account(store).watermark) == (12, 0)
    store.commit([letter(batch(range(1, 13)))])
    assert account(store).missing == 0


def test_the_newest_observation_of_a_plot_is_the_one_with_the_highest_number(store: Store) -> None:
    store.commit([letter(batch([1, 2, 9]))])
    store.commit([letter(batch([3, 4]))])
    with store.reading() as connection:
        assert [row["seq"] for row in views.latest(connection, 1)] == [9]


def test_a_letter_that_the_database_cannot_hold_is_a_reject_and_the_others_are_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = letter(batch([2]))
    object.__setattr__(bad.message.items[0].record, "frame_id", 2**70)
    assert store.commit([letter(batch([1])), bad, letter(batch([3]))])[-1].seq == 1
    assert stored(store) == [1, 3]
    with store.reading() as connection:
        assert "cannot be stored" in views.list_rejects(connection)[0]["reason"]


def test_nothing_of_a_batch_is_kept_when_the_commit_fails(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    store.commit([letter(batch([1]))])
    with sqlite3.connect(tmp_path / "fleet.sqlite", isolation_level=None) as other:
        other.execute("create trigger full before insert on hours begin select raise(abort, 'refused'); end")
        assert store.commit([letter(batch([2]))]) == []
        other.execute("drop trigger full")
    other.close()
    assert stored(store) == [1]
    assert store.commit([letter(batch([2]))])[0].seq == 2
    store.close()


def test_a_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    store.commit([letter(batch([1]))])
    with store.reading() as connection:
        pages = connection.exec_driver_sql("pragma page_count").scalar_one()
    limit_pages(store, pages)
    with pytest.raises(StoreUnavailable, match="full"):
        store.commit([letter(batch(range(2, 900)))])
    limit_pages(store, 1_000_000)
    assert store.commit([letter(batch(range(2, 900)))])[0].seq == 899
    store.close()


def limit_pages(store: Store, pages: int) -> None:
    """What SQLite says when the disk is full, without filling one."""
    from sqlalchemy import event as hooks

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"pragma max_page_count={pages}")

    hooks.listen(store._engine, "checkout", limit)


def test_a_state_tells_presence_and_a_last_will_is_no_sign_of_life(store: Store) -> None:
    online = State(online=True, boot_id="b", at=NOON)
    store.commit([letter(online), letter(Info(boot_id="b", software="s", hardware="h", python="3"))])  # type: ignore[arg-type]
    with store.reading() as connection:
        before = views.find_device(connection, "site", "dev")
    store.commit([letter(online.model_copy(update={"online": False}))])  # type: ignore[arg-type]
    with store.reading() as connection:
        after = views.find_device(connection, "site", "dev")
    assert before
    assert after
    assert (before["online"], after["online"], after["info"]["hardware"]) == (True, False, "h")
    assert before["last_seen"] == after["last_seen"]


def test_rejects_add_up_and_their_number_is_bounded(store: Store) -> None:
    store.commit([], [Reject("t", "r", b"x")] * 3 + [Reject(f"t{n}", "r", b"x") for n in range(MAX_REJECTS + 50)])
    with store.reading() as connection:
        rows = connection.execute(select(func.count(), func.sum(schema.rejects.c.count))).one()
    assert rows == (MAX_REJECTS + 1, MAX_REJECTS + 53)


def test_completeness_counts_each_record_in_the_hour_in_which_it_was_taken(store: Store) -> None:
    store.commit([letter(batch([*range(1, 60), *range(70, 100)])), letter(gap(100, 104)), letter(batch([130]))])
    store.commit([letter(health(140))])
    with store.reading() as connection:
        found = views.completeness(connection, 1, 4, NOON + timedelta(hours=3))
    assert [(hour.hour.hour, hour.received, hour.missing, hour.dropped) for hour in found] == [
        (12, 59, 0, 0),
        (13, 30, 10, 0),
        (14, 1, 25, 5),
        (15, 0, 10, 0),
    ]


def test_a_file_that_is_no_database_is_unusable_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fleet.sqlite"
    path.write_bytes(b"this is a text" * 1000)
    with pytest.raises(StoreUnusable, match="damaged"):
        Store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is a text")


@pytest.mark.parametrize("url", ["nonsense", "nosuchdatabase://host/name"])
def test_a_database_url_that_is_none_is_a_wrong_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match="SQLAlchemy"):
        Store(url)


def test_every_table_can_be_made_on_postgresql() -> None:
    for table in schema.metadata.sorted_tables:
        text = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        assert ("TIMESTAMP WITH TIME ZONE" in text) == any(isinstance(c.type, schema.Moment) for c in table.columns)
