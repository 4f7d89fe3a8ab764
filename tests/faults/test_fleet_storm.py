"""The fleet's benchmark, with a hundred devices: every connection breaks at once, and every batch arrives once."""

import json
import subprocess
import sys

import pytest

from tests.sim.mosquitto import require_mosquitto

DEVICES, PLOTS = 100, 30


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("postgres")
def test_a_storm_of_a_hundred_devices_is_filed_whole_and_once() -> None:
    require_mosquitto()
    command = [sys.executable, "-m", "benchmarks.fleet", "storm", "--devices", str(DEVICES), "--processes", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["not_acknowledged"] == 0
    assert (found["stored"], found["distinct"]) == (DEVICES * PLOTS, DEVICES * PLOTS)
