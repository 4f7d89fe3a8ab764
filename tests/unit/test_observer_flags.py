"""A picture in purple light is measured and flagged, or not measured: as configured."""

import numpy as np
import pytest

from edge.clock import utc_now
from edge.contract.records import Observation, Outcome, QualityFlag
from edge.frame import Frame
from edge.model import Model
from edge.observe import Observer
from edge.settings import CameraSettings, InferenceSettings
from tests.sim.green_model import build_green_package
from tests.sim.pictures import discs


def observe(package, lamp: str) -> Observation:
    noise = np.random.default_rng(0).integers(-20, 20, (128, 128, 3))
    purple = np.clip(np.array([200, 140, 200]) + noise, 0, 240).astype(np.uint8)
    camera = CameraSettings(name="top", source={"kind": "v4l2", "device": 0}, quality={"lamp": lamp})
    frame = Frame(discs(purple, [(64, 64, 24)]), 0, "top", utc_now(), 0.0)
    (observation,) = Observer(camera, Model(InferenceSettings(package=package)), live=True).observe(frame)
    return observation


@pytest.mark.parametrize(("lamp", "outcome"), [("flag", Outcome.MEASURED), ("skip", Outcome.NOT_TAKEN)])
def test_purple_light_is_flagged_in_either_case(tmp_path, lamp, outcome):
    observation = observe(build_green_package(tmp_path), lamp)
    assert observation.outcome is outcome
    assert observation.quality == (QualityFlag.LAMP,)
    assert bool(observation.traits) is (outcome is Outcome.MEASURED)
