"""A device that is killed while it downloads goes on where it was, and never has a wrong file under the final name."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.static_host import StaticHost
from tests.sim.update_repository import UpdateRepository, utc

CONTENT = random.Random(7).randbytes(4 * 2**20)
PATH = "onnx-cpu/rosette-1.0.0.zip"
CODE = """
import sys
from pathlib import Path
from edge.update.client import UpdateClient
from edge.update.fetch import Source
from edge.update.http import HttpFetcher
from tests.sim.update_repository import utc

folder, url, bytes_per_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
client = UpdateClient(folder / "trust", Source.at(url, HttpFetcher()), bootstrap=(folder / "root.json").read_bytes(),
                      reserve_bytes=0, bytes_per_s=bytes_per_s, clock=lambda: utc(0))
client.download(client.target("onnx-cpu/rosette-1.0.0.zip"), folder / "downloads")
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[StaticHost]:
    with StaticHost().serving() as made:
        repository = UpdateRepository(made.files, utc(0))
        repository.offer(CONTENT)
        (tmp_path / "root.json").write_bytes(repository.bootstrap)
        yield made


def device(folder: Path, url: str, bytes_per_s: float) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen([sys.executable, "-c", CODE, str(folder), url, str(bytes_per_s)], env=environment)


def part_bytes(folder: Path) -> int:
    return max((path.stat().st_size for path in (folder / "downloads").glob(".*.partial")), default=0)


def whole(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder / "downloads").glob("*.zip")]


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_a_device_killed_while_it_downloads_goes_on_where_it_was(tmp_path: Path, host: StaticHost, kills: int) -> None:
    rng, held_bytes = random.Random(kills), 0
    for _ in range(kills):
        process = device(tmp_path, host.url, len(CONTENT) / kills)
        until = time.monotonic() + 30
        while part_bytes(tmp_path) <= held_bytes and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert whole(tmp_path) in ([], [CONTENT])
        assert part_bytes(tmp_path) >= held_bytes or whole(tmp_path), "what had come was thrown away"
        held_bytes = part_bytes(tmp_path)
    assert held_bytes > 0, "the kills came before anything was there: the test proves nothing"
    assert device(tmp_path, host.url, 0).wait(60) == 0
    assert whole(tmp_path) == [CONTENT]
    assert not list((tmp_path / "downloads").glob(".*"))
    ranges = [int(asked.split("=")[1][:-1]) for path, asked in host.asked if path.startswith("/targets/") and asked]
    assert ranges == sorted(ranges)
    assert len(set(ranges)) > 1, "nothing was gone on with"


def test_a_device_killed_at_any_moment_of_a_refresh_trusts_again(tmp_path: Path, host: StaticHost) -> None:
    rng = random.Random(3)
    for _ in range(4):
        process = device(tmp_path, host.url, 1)
        time.sleep(rng.uniform(0.2, 0.9))
        process.kill()
        process.wait()
    assert device(tmp_path, host.url, 0).wait(60) == 0
    assert whole(tmp_path) == [CONTENT]
