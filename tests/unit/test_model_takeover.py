"""A stale engine is built again beside the running model, which sees every picture meanwhile."""

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from edge.model import LoadedModel, Model
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


def runtime(model: Model) -> str:
    assert model.loaded is not None
    return model.loaded.backend.runtime


def test_pictures_are_measured_on_the_cpu_while_the_engine_is_built_and_on_it_afterwards(
    nvidia, settings, monkeypatch
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "0.5")
    with closing(Model(settings)) as model:
        before = model.use().segment(*PICTURE)
        assert runtime(model) == "cpu"
        assert wait_for(lambda: runtime(model) == "tensorrt")
        after = model.use().segment(*PICTURE)
        assert len(before.objects) == len(after.objects) > 0

    with closing(Model(settings)) as again:
        assert again.use().backend.runtime == "tensorrt", "the engine is there at the next start"


def test_a_build_that_fails_leaves_the_model_where_it_is(nvidia, settings, monkeypatch, caplog) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_CRASH", "1")
    with closing(Model(settings)) as model:
        model.use()
        assert wait_for(lambda: "the model stays where it runs" in caplog.text)
        assert "signal 11" in caplog.text
        assert model.use().segment(*PICTURE).objects
        assert runtime(model) == "cpu"


def test_an_engine_that_comes_too_late_does_not_replace_the_model_that_came_meanwhile(
    nvidia, settings, monkeypatch
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "0.5")
    with closing(Model(settings)) as model:
        model.use()
        [building] = [thread for thread in threading.enumerate() if thread.name == "prepare"]
        newer = LoadedModel.load(settings.package, settings.model_copy(update={"backend": "cpu"}))
        model.switch(newer)
        building.join(30)
        assert not building.is_alive()
        assert model.use() is newer


def test_what_was_replaced_is_given_back_only_when_the_loop_asks_for_the_next_model(settings) -> None:
    given_back = []
    on_cpu = settings.model_copy(update={"backend": "cpu"})
    with closing(Model(on_cpu)) as model:
        first = model.use()
        first.backend.close = lambda: given_back.append(first)
        model.switch(LoadedModel.load(settings.package, on_cpu))
        assert first.segment(*PICTURE).objects, "the loop may be in the middle of a picture"
        assert not given_back
        model.use()
        assert given_back == [first]
