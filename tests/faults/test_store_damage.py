"""Damaged, foreign and newer database files; and kill -9."""

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edge.contract.records import Event, EventKind
from edge.errors import StoreError
from edge.outbox import Outbox
from edge.settings import OutboxSettings
from edge.store import KEEP_ASIDE, open_store
from tests.sim.damage import flip_a_bit_of, scribble
from tests.sim.records import clock, observation

SETTINGS = OutboxSettings()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def filled(path: Path, count: int = 300) -> str:
    outbox = Outbox(path, SETTINGS, clock)
    outbox.append([observation(number) for number in range(count)])
    outbox.advance(outbox.epoch, 20)
    epoch = outbox.epoch
    outbox.close()
    return epoch


def aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("outbox.sqlite.corrupt-*Z"))


def first_event(outbox: Outbox) -> Event:
    return Event.model_validate_json(outbox.read(0, 1, 1)[0].body)


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one" * 400, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_is_put_aside_and_the_stream_begins_with_the_news(path, content):
    path.write_bytes(content)
    outbox = Outbox(path, SETTINGS, clock)
    assert [file.read_bytes() for file in aside(path)] == [content]
    assert first_event(outbox).kind is EventKind.STORE_QUARANTINED
    assert outbox.append([observation(1)]) == 2
    outbox.close()


def test_an_empty_file_is_simply_new(path):
    path.touch()
    outbox = Outbox(path, SETTINGS, clock)
    assert (aside(path), outbox.last_seq) == ([], 0)
    outbox.close()


def test_damaged_pages_found_at_the_start_begin_a_new_epoch_that_names_the_old_one(path):
    epoch = filled(path)
    size = path.stat().st_size
    scribble(path, first_byte=size // 2, last_byte=size // 2 + 40_000)
    outbox = Outbox(path, SETTINGS, clock)
    news = first_event(outbox)
    assert outbox.epoch != epoch
    assert (news.detail["epoch"], news.detail["last_seq"], news.detail["watermark"]) == (epoch, 300, 20)
    assert news.detail["file"] == aside(path)[0].name
    outbox.close()


def test_a_truncated_database_is_put_aside(path):
    filled(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    outbox = Outbox(path, SETTINGS, clock)
    assert len(aside(path)) == 1
    assert outbox.last_seq == 1
    outbox.close()


@pytest.mark.parametrize("found_by", ["append", "read", "advance", "prune"])
def test_damage_that_shows_at_work_begins_a_new_stream_without_stopping(path, found_by):
    outbox = Outbox(path, OutboxSettings(keep_delivered_s=0), clock)
    outbox.append([observation(number) for number in range(2_000)])
    epoch = outbox.epoch
    outbox.advance(epoch, 1_000)
    outbox._stream.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    outbox._stream.connection.execute("PRAGMA shrink_memory")
    scribble(path, first_byte=200)
    calls = {
        "append": lambda: outbox.append([observation(1)]),
        "read": lambda: outbox.read(0, 2_000, 2_000),
        "advance": lambda: outbox.advance(epoch, 1_500),
        "prune": lambda: outbox.prune(now_s=1e12),
    }
    result = calls[found_by]()
    assert outbox.epoch != epoch
    assert first_event(outbox).detail["last_seq"] == 2_000
    assert result == {"append": 2, "read": [], "advance": False, "prune": None}[found_by]
    assert len(aside(path)) == 1
    outbox.close()


def test_a_flipped_bit_in_a_record_costs_that_record_only_and_is_reported_as_a_gap(path):
    epoch = filled(path)
    flip_a_bit_of(path, b'"frame_id":77')
    outbox = Outbox(path, SETTINGS, clock)
    rows = outbox.read(0, 300, 1_000)
    assert outbox.epoch == epoch
    assert [row.seq for row in rows] == list(range(1, 301))
    (gap,) = [row for row in rows if row.first_seq]
    event = Event.model_validate_json(gap.body)
    assert (gap.first_seq, gap.seq, event.kind) == (78, 78, EventKind.GAP)
    assert event.detail == {"dropped": 1, "reason": "damaged on the disk"}
    outbox.close()


def test_a_flipped_bit_in_a_gap_leaves_its_range_covered(path):
    small = OutboxSettings(max_bytes=1_000_000)
    outbox = Outbox(path, small, clock)
    for _ in range(20):
        outbox.append([observation(number) for number in range(50)])
    (gap, *_) = outbox.read(0, 1_000, 1)
    outbox.close()
    flip_a_bit_of(path, b"records were dropped")
    again = Outbox(path, small, clock)
    (healed, *_) = again.read(0, 1_000, 1)
    assert (healed.first_seq, healed.seq) == (1, gap.seq)
    assert Event.model_validate_json(healed.body).detail["reason"] == "damaged on the disk"
    again.close()


def test_only_the_newest_damaged_files_are_kept(path):
    for _ in range(KEEP_ASIDE + 2):
        path.write_bytes(b"noise" * 1_000)
        Outbox(path, SETTINGS, clock).close()
    assert len(aside(path)) == KEEP_ASIDE


def test_a_file_of_a_newer_release_is_refused_and_left_as_it_is(path):
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('canopy-edge', 'from_2031', '')"
        )
    connection.close()
    with pytest.raises(StoreError, match=r"newer release \(it has \['from_2031'\]\)"):
        Outbox(path, SETTINGS, clock)
    assert aside(path) == []


def test_a_birth_that_was_interrupted_is_completed(path):
    """A crash between the making of the file and its schema leaves an empty database in WAL mode."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    open_store(path).conn.close()
    outbox = Outbox(path, SETTINGS, clock)
    assert outbox.append([observation(1)]) == 1
    outbox.close()


def test_a_folder_that_cannot_be_made_is_an_error_with_what_to_do(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="make its folder writable"):
        Outbox(tmp_path / "state" / "outbox.sqlite", SETTINGS, clock)


WRITER = """
import sys
from pathlib import Path
from edge.outbox import Outbox
from edge.settings import OutboxSettings
from tests.sim.records import clock, observation
outbox = Outbox(Path(sys.argv[1]), OutboxSettings(), clock)
number = 0
while True:
    number += 1
    print(outbox.append([observation(number), observation(number)]), flush=True)
"""


def test_what_was_promised_before_kill_9_is_there_afterwards(path):
    chance = random.Random(7)
    root = Path(__file__).parents[2]
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=root) as writer:
            promised = [int(writer.stdout.readline()) for _ in range(chance.randint(1, 40))]
            writer.send_signal(signal.SIGKILL)
            promised += [int(line) for line in writer.stdout.read().split()]
        outbox = Outbox(path, SETTINGS, clock)
        rows = outbox.read(0, outbox.last_seq, 1_000_000)
        assert [row.seq for row in rows] == list(range(1, outbox.last_seq + 1))
        assert outbox.last_seq >= promised[-1]
        assert outbox.last_seq % 2 == 0
        assert aside(path) == []
        outbox.close()
