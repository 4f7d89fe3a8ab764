"""From drift to a better model: real daemons, a real service, a real training, and a gate, in a rendered greenhouse."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_the_error_doubles_is_noticed_and_comes_back(tmp_path: Path) -> None:
    result = tmp_path / "closed_loop.json"
    command = [sys.executable, "-m", "benchmarks.closed_loop", "--folder", tmp_path / "greenhouse", "--output", result]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-6000:]
    told = json.loads(result.read_text())
    before, drifted, after = (told[f"leaf_count_mae_{period}"] for period in ("before", "drifted", "after"))
    assert drifted >= 2 * before, "the new variety is what the champion cannot count"
    assert told["alarms_before"] == 0
    assert told["devices_that_noticed"] == 3
    assert told["frames"]["drifted"] > 0
    assert told["frames"]["random"] > 0
    assert "new variety" in told["why"]
    assert not told["measured_last_by_the_champion"]
    assert after <= 1.1 * before
    steps = [
        "retrain propose",
        "retrain frames",
        "retrain passed",
        "rollout create",
        "retrain roll-out",
        "rollout done",
    ]
    assert [action for action in told["audit"] if action in steps] == steps
