"""From drift to a better model: what is promised of the whole way, on devices and a fleet that are real."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.closed_loop.__main__ import DEVICES, Story

ROSETTE = Path(__file__).parents[2] / "packages" / "rosette"
STEPS = ["retrain propose", "retrain frames", "retrain train", "retrain passed", "retrain publish", "rollout create"]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_greenhouse_drifts_and_a_model_made_of_its_own_frames_brings_the_error_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANOPY_CA_PASSPHRASE", "of a greenhouse that is not there")
    with ExitStack() as parts:
        told = Story(tmp_path, ROSETTE).play(parts)
    assert told["leaf_count_mae_drifted"] >= 2 * told["leaf_count_mae_before"]
    assert (told["alarms_before"], told["devices_that_noticed"]) == (0, len(DEVICES))
    assert not told["measured_last_by_the_champion"]
    assert told["leaf_count_mae_after"] <= 1.1 * told["leaf_count_mae_before"]
    places = [told["audit"].index(step) for step in STEPS]
    assert places == sorted(places)
