"""A stale engine is built again beside the running model, which sees every picture meanwhile."""

import time
from pathlib import Path

import pytest

from edge.model import Model
from edge.preprocess import fit
from edge.settings import EngineSettings, InferenceSettings
from tests.sim.faked_nvidia import nvidia
from tests.sim.green_model import build_green_package
from tests.sim.pictures import discs, soil

__all__ = ["nvidia"]

SIZE = {"height_px": 64, "width_px": 64}
PICTURE = fit(discs(soil(64, 64), [(16, 16, 8)]), 64, 64)


@pytest.fixture
def settings(tmp_path: Path) -> InferenceSettings:
    folder = build_green_package(tmp_path / "green", **SIZE)
    return InferenceSettings(package=folder, engine=EngineSettings(folder=tmp_path / "engines"))


def wait_for(condition) -> bool:
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_pictures_are_measured_on_the_cpu_while_the_engine_is_built_and_on_it_afterwards(
    nvidia, settings, monkeypatch
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "0.5")
    model = Model(settings)
    model.open()
    assert "ONNX Runtime" in model._backend.name
    before = model.segment(*PICTURE)
    assert wait_for(lambda: model._backend.runtime == "tensorrt")
    after = model.segment(*PICTURE)
    assert len(before.objects) == len(after.objects) > 0
    model._backend.close()

    again = Model(settings)
    again.open()
    assert again._backend.runtime == "tensorrt", "the engine is there at the next start"
    again._backend.close()


def test_a_build_that_fails_leaves_the_model_where_it_is(nvidia, settings, monkeypatch, caplog) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_CRASH", "1")
    model = Model(settings)
    model.open()
    assert wait_for(lambda: "the model stays where it runs" in caplog.text)
    assert "signal 11" in caplog.text
    assert model.segment(*PICTURE).objects
    assert model._backend.runtime == "cpu"
