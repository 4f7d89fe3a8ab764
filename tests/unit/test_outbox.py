"""The outbox on a real SQLite file."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from edge.contract.messages import Tally
from edge.contract.records import Event, EventKind, Observation
from edge.errors import StoreError
from edge.outbox import Outbox, stored_stats
from edge.settings import OutboxSettings
from tests.sim.records import clock, event, observation

SMALL = OutboxSettings(max_bytes=1_000_000, keep_delivered_s=3_600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path):
    box = Outbox(path, SMALL, clock)
    yield box
    box.close()


def fill(outbox: Outbox, count: int, first: int = 0) -> None:
    for start in range(first, first + count, 50):
        outbox.append([observation(number) for number in range(start, min(start + 50, first + count))])


def everything(outbox: Outbox, after: int = 0):
    return outbox.read(after, outbox.last_seq, 1_000_000)


def assert_covered(outbox: Outbox) -> None:
    """Every number above the watermark stands in the log, by a record or by a gap."""
    expected = outbox.watermark + 1
    for row in everything(outbox, after=outbox.watermark):
        assert (row.first_seq or row.seq) <= expected <= row.seq
        expected = row.seq + 1
    assert expected == outbox.last_seq + 1


def test_records_are_numbered_from_one_without_holes_and_read_back_as_they_were(outbox):
    assert outbox.append([observation(1), event(2)]) == 2
    assert outbox.append([observation(3)]) == 3
    rows = everything(outbox)
    assert [(row.seq, row.first_seq, row.channel, row.camera) for row in rows] == [
        (1, None, "obs", "bench"),
        (2, None, "event", None),
        (3, None, "obs", "bench"),
    ]
    assert Observation.model_validate_json(rows[0].body) == observation(1)
    assert Event.model_validate_json(rows[1].body) == event(2)
    assert {row.epoch for row in rows} == {outbox.epoch}


def test_numbering_goes_on_after_the_file_is_opened_again_even_if_everything_was_forgotten(path, outbox):
    fill(outbox, 60)
    outbox.advance(outbox.epoch, 60)
    outbox.prune(now_s=1e12)
    assert everything(outbox) == []
    outbox.close()
    again = Outbox(path, SMALL, clock)
    assert (again.last_seq, again.watermark) == (60, 60)
    assert again.append([observation(1)]) == 61
    again.close()


def test_the_epoch_is_as_old_as_the_file(path, outbox, tmp_path):
    epoch = outbox.epoch
    outbox.close()
    again, other = Outbox(path, SMALL, clock), Outbox(tmp_path / "other.sqlite", SMALL, clock)
    assert again.epoch == epoch != other.epoch
    assert len(epoch) == 32
    again.close()
    other.close()


def test_reading_takes_a_range_and_a_limit(outbox):
    fill(outbox, 30)
    assert [row.seq for row in outbox.read(10, 20, 5)] == [11, 12, 13, 14, 15]
    assert [row.seq for row in outbox.read(18, 20, 5)] == [19, 20]


def test_the_watermark_moves_forward_only_in_its_own_epoch_and_not_beyond_the_last_number(outbox):
    fill(outbox, 10)
    epoch = outbox.epoch
    assert [outbox.advance(*ack) for ack in [("0" * 32, 5), (epoch, 11), (epoch, 0), (epoch, -3)]] == [False] * 4
    assert outbox.watermark == 0
    assert outbox.advance(epoch, 5)
    assert not outbox.advance(epoch, 5)
    assert not outbox.advance(epoch, 4)
    assert (outbox.watermark, outbox.stats().undelivered) == (5, 5)


def test_what_the_fleet_has_lost_is_undelivered_again_and_what_is_no_longer_kept_is_a_gap(outbox):
    fill(outbox, 300)
    outbox.advance(outbox.epoch, 200)
    outbox.prune(now_s=1e12)
    outbox.advance(outbox.epoch, 250)
    assert not outbox.go_back("0" * 32, 5)
    assert not outbox.go_back(outbox.epoch, 250)
    assert outbox.go_back(outbox.epoch, 120)
    rows = everything(outbox, after=120)
    assert [(row.first_seq, row.seq) for row in rows[:2]] == [(121, 200), (None, 201)]
    assert b"lost by the fleet" in rows[0].body
    assert (outbox.watermark, outbox.stats().undelivered, outbox.stats().dropped) == (120, 101, 80)


def test_delivered_records_are_kept_for_their_time_and_undelivered_ones_for_ever(outbox):
    fill(outbox, 300)
    outbox.advance(outbox.epoch, 250)
    outbox.prune()
    assert outbox.stats().entries == 300
    outbox.prune(now_s=1e12)
    assert [row.seq for row in everything(outbox)] == list(range(251, 301))
    assert outbox.stats().entries == 50


def test_frames_are_counted_in_the_transaction_of_their_records_and_anew_in_each_run(path, outbox):
    outbox.append([observation(1)], {"bench": Tally(captured=3, processed=1, dropped=2)})
    outbox.append([], {"bench": Tally(captured=9, processed=4, dropped=5)})
    assert outbox.stats().tallies == {"bench": Tally(captured=9, processed=4, dropped=5)}
    outbox.close()
    again = Outbox(path, SMALL, clock)
    again.append([], {"door": Tally(captured=1, failed=1)})
    assert again.stats().tallies == {"door": Tally(captured=1, failed=1)}
    again.close()


def test_the_oldest_give_way_to_the_newest_as_one_gap_when_the_budget_is_spent(outbox):
    fill(outbox, 3_000)
    assert_covered(outbox)
    rows, stats = everything(outbox), outbox.stats()
    gap = Event.model_validate_json(rows[0].body)
    assert (rows[0].first_seq, gap.kind) == (1, EventKind.GAP)
    assert gap.detail == {"dropped": rows[0].seq, "reason": "disk budget"}
    assert all(row.first_seq is None for row in rows[1:])
    assert rows[-1].seq == 3_000
    assert (stats.gaps, stats.dropped, stats.entries) == (1, rows[0].seq, len(rows))
    assert stats.bytes <= SMALL.max_bytes


def test_delivered_records_give_way_before_undelivered_ones(outbox):
    fill(outbox, 300)
    outbox.advance(outbox.epoch, 250)
    fill(outbox, 100, first=300)
    assert outbox.stats().dropped == 0
    assert_covered(outbox)


def test_a_gap_is_delivered_and_forgotten_like_a_record(outbox):
    fill(outbox, 1_000)
    (gap, *_) = everything(outbox)
    assert outbox.advance(outbox.epoch, gap.seq)
    outbox.prune(now_s=1e12)
    assert outbox.stats().gaps == 0
    assert_covered(outbox)


def test_a_gap_never_reaches_below_what_the_fleet_has(outbox):
    fill(outbox, 1_000)
    outbox.advance(outbox.epoch, 30)
    fill(outbox, 1_000, first=1_000)
    (gap, *_) = everything(outbox, after=30)
    assert gap.first_seq == 31
    assert_covered(outbox)


def test_the_file_shrinks_when_much_was_forgotten(path):
    outbox = Outbox(path, OutboxSettings(keep_delivered_s=0), clock)
    fill(outbox, 5_000)
    before = outbox.stats().file_bytes
    outbox.advance(outbox.epoch, 5_000)
    for _ in range(10):
        outbox.prune(now_s=1e12)
    assert outbox.stats().file_bytes < before / 4
    outbox.close()


def test_a_full_disk_makes_room_by_giving_up_the_oldest(outbox):
    fill(outbox, 200)
    connection = outbox._stream.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    fill(outbox, 300, first=200)
    assert_covered(outbox)
    assert outbox.last_seq == 500
    assert outbox.stats().dropped > 0


def test_a_disk_too_full_for_a_batch_refuses_it_whole_and_takes_the_next_that_fits(outbox):
    outbox.append([observation(1)])
    connection = outbox._stream.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="free space on its disk"):
        outbox.append([observation(number) for number in range(500)], {"bench": Tally(captured=500, processed=500)})
    assert [row.seq for row in everything(outbox)] == [1]
    assert outbox.stats().tallies == {}
    assert outbox.append([observation(2)]) == 2
    assert_covered(outbox)


def test_many_threads_append_without_losing_or_repeating_a_number(outbox):
    last: list[int] = []

    def work(thread: int) -> None:
        last.extend(outbox.append([event(thread * 100 + number)]) for number in range(20))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(last) == list(range(1, 101))
    assert len(everything(outbox)) == 100


def test_reading_waits_for_no_writer(path, outbox):
    fill(outbox, 10)
    outbox.read(0, 10, 10)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert len(outbox.read(0, 10, 10)) == 10
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_second_process_may_look_while_the_daemon_works(path, outbox):
    fill(outbox, 10)
    outbox.advance(outbox.epoch, 4)
    stats = stored_stats(path)
    assert (stats.epoch, stats.last_seq, stats.watermark, stats.undelivered) == (outbox.epoch, 10, 4, 6)
    assert stats.oldest_undelivered_s >= 0


def test_looking_at_an_outbox_that_is_not_there_is_an_error_and_makes_none(tmp_path):
    with pytest.raises(StoreError, match="cannot use"):
        stored_stats(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_outbox_says_so(outbox):
    outbox.close()
    with pytest.raises(StoreError, match="closed"):
        outbox.append([observation(1)])


class Log(RuleBasedStateMachine):
    """Whatever is appended, delivered, forgotten or dropped, in whatever order."""

    folder: Path

    @initialize()
    def begin(self) -> None:
        self.path = self.folder / f"{id(self)}.sqlite"
        self.outbox = Outbox(self.path, SMALL, clock)

    @rule(count=st.integers(1, 120))
    def append(self, count: int) -> None:
        last = self.outbox.last_seq
        assert self.outbox.append([observation(number) for number in range(count)]) == last + count

    @rule(share=st.floats(0, 1))
    def deliver(self, share: float) -> None:
        at = self.outbox.position
        self.outbox.advance(at.epoch, at.watermark + int(share * (at.last_seq - at.watermark)))

    @rule(share=st.floats(0, 1, exclude_max=True))
    def the_fleet_loses_some(self, share: float) -> None:
        at = self.outbox.position
        seq = int(share * at.watermark)
        assert self.outbox.go_back(at.epoch, seq) == (seq < at.watermark)
        assert self.outbox.watermark == seq

    @rule(late=st.booleans())
    def prune(self, late: bool) -> None:
        self.outbox.prune(now_s=1e12 if late else None)

    @rule()
    def open_again(self) -> None:
        at = self.outbox.position
        self.outbox.close()
        self.outbox = Outbox(self.path, SMALL, clock)
        now = self.outbox.position
        assert (now.epoch, now.last_seq, now.watermark) == (at.epoch, at.last_seq, at.watermark)

    @invariant()
    def the_log_has_no_holes_and_counts_itself_right(self) -> None:
        if not hasattr(self, "outbox"):
            return
        assert_covered(self.outbox)
        at = self.outbox.position
        assert at.entries == len(everything(self.outbox))
        assert at.undelivered == len(everything(self.outbox, after=at.watermark))

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()


def test_no_number_above_the_watermark_is_ever_lost(tmp_path):
    Log.folder = tmp_path
    run_state_machine_as_test(
        Log,
        settings=hypothesis_settings(
            max_examples=15, stateful_step_count=25, deadline=None, derandomize=True, database=None
        ),
    )


def test_a_watermark_is_not_flushed_by_itself(tmp_path):
    """Counted in the real system calls of the process, where strace may look on."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (apt-get install strace)")
    code = """
import sys
from pathlib import Path
from edge.clock import read_clock
from edge.contract.records import Event, EventKind
from edge.outbox import Outbox
from edge.settings import OutboxSettings
outbox = Outbox(Path(sys.argv[1]), OutboxSettings())
for number in range(40):
    outbox.append([Event(kind=EventKind.STARTED, clock=read_clock(), message="m")])
    if sys.argv[2] == "advance":
        outbox.advance(outbox.epoch, number + 1)
"""

    def flushes(what):
        path = tmp_path / f"{what}.sqlite"
        trace = tmp_path / f"{what}.trace"
        command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", trace, sys.executable, "-c", code, path, what]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
        if "not permitted" in done.stderr:
            pytest.skip("strace may not look on here")
        assert done.returncode == 0, done.stderr
        return sum("sync(" in line for line in trace.read_text().splitlines())

    assert flushes("advance") - flushes("append only") <= 4
