"""A short soak: the daemon at full speed keeps its memory, its descriptors and the size of its database."""

import shutil
from pathlib import Path

import pytest

from tests.sim.mosquitto import require_mosquitto

MINUTES = 2.0
SETTLED_RSS_BYTES = 4_000_000
"""In two minutes a slope would be all noise: what is asked is that memory stays in its place."""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_memory_descriptors_and_database_stay_as_they_are(tmp_path: Path) -> None:
    require_mosquitto()
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed (apt-get install ffmpeg)")
    from benchmarks.soak import soak

    found = soak(tmp_path, MINUTES)
    assert found["failed"] == found["dropped"] == 0
    assert found["pictures"] > 200
    least, most = found["rss_bytes"]
    assert most - least < SETTLED_RSS_BYTES, found["every_minute"]
    assert found["descriptors"]["last"] <= found["descriptors"]["first"]
    assert found["threads"]["last"] <= found["threads"]["first"]
    assert found["database"]["used_for_computed"] <= 1.1
