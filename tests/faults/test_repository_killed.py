"""Whoever publishes is killed at any moment: devices find a whole repository, and the next command goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.errors import UpdateRefused
from tests.sim.fleet_repository import FleetRepository

CODE = """
import sys
from pathlib import Path
from tests.sim.fleet_repository import FleetRepository

first, last = int(sys.argv[2]), int(sys.argv[3])
for patch in range(first, last):
    print(FleetRepository(Path(sys.argv[1])).publish(f"1.0.{patch}").target, flush=True)
"""


def publishing(folder: Path, first: int, last: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", CODE, str(folder), str(first), str(last)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_a_publisher_killed_at_random_moments_leaves_a_whole_repository(tmp_path: Path, kills: int) -> None:
    rng = random.Random(kills)
    repository = FleetRepository(tmp_path).ready()
    promised: list[str] = []
    for _ in range(kills):
        with publishing(tmp_path, len(promised), 10_000) as process:
            assert process.stdout is not None
            promised.append(process.stdout.readline().strip())
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            promised += process.stdout.read().split()
        device = repository.device()
        device.refresh()
        for path in promised[-3:]:
            taken = device.download(device.target(path), tmp_path / "downloads")
            assert taken.read_bytes() == (tmp_path / f"{path.split('/')[1]}").read_bytes()
    with pytest.raises(UpdateRefused):
        repository.device().target("onnx-cpu/rosette-2.0.0.zip")
    repository.publish("2.0.0")
    assert repository.device().target("onnx-cpu/rosette-2.0.0.zip")
