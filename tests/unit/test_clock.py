"""The clock and its doubts."""

import time
from datetime import datetime, timezone

import edge.clock
from edge.clock import boot_id, is_believable, monotonic_s, read_clock

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


def test_a_clock_that_starts_in_1970_is_not_believed(tmp_path):
    assert not is_believable(datetime(1970, 1, 1, tzinfo=timezone.utc), tmp_path / "none")
    assert is_believable(NOW, tmp_path / "none")


def test_a_clock_that_waits_for_its_time_server_is_not_believed(tmp_path):
    assert not is_believable(NOW, tmp_path)
    (tmp_path / "synchronized").touch()
    assert is_believable(NOW, tmp_path)


def test_reading_gives_both_clocks_of_one_boot():
    first, second = read_clock(), read_clock()
    assert first.at.utcoffset().total_seconds() == 0
    assert abs(first.at.timestamp() - time.time()) < 5
    assert first.monotonic_s <= second.monotonic_s <= monotonic_s()
    assert first.boot_id == second.boot_id


def test_without_a_boot_id_the_process_has_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(edge.clock, "BOOT_ID", tmp_path / "none")
    boot_id.cache_clear()
    try:
        own = boot_id()
        assert len(own) == 36
        assert boot_id() == own
    finally:
        boot_id.cache_clear()
