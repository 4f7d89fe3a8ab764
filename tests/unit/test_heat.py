"""The device relieves its chip step by step, and takes each step back with a distance."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.chip import Chip, ChipState
from edge.contract.records import EventKind
from edge.heat import HeatPolicy, Relief
from edge.model import LoadedModel, Model
from edge.relief import HeatGuard
from edge.settings import HeatSettings, InferenceSettings
from tests.sim.green_model import build_green_package
from tests.unit.test_chip import thermal, write

HELD = HeatSettings(hold_s=60)
NOW = HeatSettings(hold_s=0)


def chip(headroom_c: float | None, *, throttled: bool | None = False) -> ChipState:
    return ChipState(headroom_c=headroom_c, throttled=throttled)


def run(policy: HeatPolicy, *headrooms_c: float, every_s: float = 30) -> list[str]:
    found = []
    for number, headroom_c in enumerate(headrooms_c):
        policy = policy.after(chip(headroom_c), number * every_s)
        found.append(policy.relief.name)
    return found


def test_each_step_is_held_before_the_next() -> None:
    policy = HeatPolicy(HeatSettings(hold_s=60, package=Path("small")))
    assert run(policy, 40, 9, 9, 8, 8, 7, 7) == [
        "NONE",
        *["HALF_RATE"] * 2,
        *["QUARTER_RATE"] * 2,
        *["SMALLER_MODEL"] * 2,
    ]


def test_without_a_smaller_model_the_rate_is_all_that_can_be_lowered() -> None:
    assert run(HeatPolicy(NOW), 5, 5, 5, 5)[-1] == "QUARTER_RATE"


def test_relief_ends_a_distance_below_where_it_began() -> None:
    assert run(HeatPolicy(NOW), 9, 11, 14, 9.9, 14.9, 15.1, 15.1) == [
        *["HALF_RATE"] * 3, *["QUARTER_RATE"] * 2, "HALF_RATE", "NONE",
    ]  # fmt: skip


def test_a_chip_that_throttles_already_skips_a_step() -> None:
    assert HeatPolicy(HELD).after(chip(30, throttled=True), 0).relief is Relief.QUARTER_RATE


def test_a_machine_that_names_no_limit_is_held_below_ours() -> None:
    hot = ChipState(temperatures_c={"cpu": 78.0})
    assert HeatPolicy(NOW).after(hot, 0).relief is Relief.HALF_RATE


def test_a_machine_without_sensors_is_left_alone() -> None:
    assert HeatPolicy(NOW).after(ChipState(), 0).relief is Relief.NONE


@given(st.lists(st.tuples(st.floats(-20, 80), st.sampled_from([None, True, False])), max_size=60))
def test_whatever_the_chip_says_no_step_is_shorter_than_asked(said: list[tuple[float, bool | None]]) -> None:
    policy, changed_at_s = HeatPolicy(HELD), None
    for number, (headroom_c, throttled) in enumerate(said):
        after = policy.after(chip(headroom_c, throttled=throttled), number * 7.0)
        if after.relief is not policy.relief:
            assert changed_at_s is None or number * 7.0 - changed_at_s >= HELD.hold_s
            changed_at_s = number * 7.0
        policy = after


class Oven:
    """A machine in a folder, whose heat a test sets, with a real model."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder / "root", folder
        self.heat(50)
        inference = InferenceSettings(package=build_green_package(folder / "large"))
        small = build_green_package(folder / "small", height_px=64, width_px=64, version="0.0.2")
        self.model = Model(inference)
        self.model.use()
        self.rests: list[float] = []
        self.events: list[tuple[EventKind, str, dict[str, Any]]] = []
        settings = HeatSettings(hold_s=0, package=small)
        self.guard = HeatGuard(
            settings,
            inference,
            self.model,
            self.rests.append,
            lambda kind, _, message, detail: self.events.append((kind, message, detail)),
            Chip(self.root),
        )

    def heat(self, degrees: float) -> None:
        write(self.root, thermal(0, "tj-thermal", int(degrees * 1000), {"passive": 95_000}))

    @property
    def runs(self) -> str:
        assert self.model.loaded
        return self.model.loaded.manifest.version


@pytest.fixture
def oven(tmp_path: Path) -> Oven:
    return Oven(tmp_path)


def test_heat_lowers_the_rate_then_the_model_and_cool_brings_both_back(oven: Oven) -> None:
    oven.heat(90)
    for _ in range(4):
        oven.guard.watch(may_exchange=True)
    assert (oven.rests, oven.runs) == ([0.5, 0.25, 0.25], "0.0.2")
    oven.heat(60)
    for _ in range(4):
        oven.guard.watch(may_exchange=True)
    assert (oven.rests[3:], oven.runs) == ([0.25, 0.5, 1.0], "0.0.1")
    assert [kind.value for kind, _, _ in oven.events] == ["hot"] * 3 + ["cool"] * 3
    assert oven.events[2][1] == "tj-thermal has 90 °C: measuring a quarter of the pictures, by the smaller model"
    assert oven.events[-1][1] == "tj-thermal has 60 °C: measuring every picture again"


def test_a_model_on_probation_is_not_exchanged_for_heat(oven: Oven) -> None:
    oven.heat(90)
    for _ in range(5):
        oven.guard.watch(may_exchange=False)
    assert (oven.guard.relief, oven.runs) == (Relief.QUARTER_RATE, "0.0.1")


def test_a_model_that_came_by_an_update_in_the_heat_stays_when_it_cools(oven: Oven) -> None:
    oven.heat(90)
    for _ in range(3):
        oven.guard.watch(may_exchange=True)
    updated = build_green_package(oven.folder / "updated", version="0.1.0")
    oven.model.switch(LoadedModel.load(updated, InferenceSettings(package=updated)))
    oven.heat(50)
    for _ in range(3):
        oven.guard.watch(may_exchange=True)
    assert (oven.guard.relief, oven.runs) == (Relief.NONE, "0.1.0")


def test_a_smaller_model_that_is_broken_leaves_the_model_as_it_is(oven: Oven) -> None:
    (oven.folder / "small" / "model.fp32.onnx").write_bytes(b"no graph")
    oven.heat(90)
    for _ in range(4):
        oven.guard.watch(may_exchange=True)
    assert (oven.guard.relief, oven.runs) == (Relief.SMALLER_MODEL, "0.0.1")


def test_a_model_that_cannot_come_back_at_once_comes_back_with_the_next_step(oven: Oven) -> None:
    oven.heat(90)
    for _ in range(3):
        oven.guard.watch(may_exchange=True)
    graph = oven.folder / "large" / "model.fp32.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(b"on a disk that hangs")
    oven.heat(50)
    oven.guard.watch(may_exchange=True)
    assert (oven.guard.relief, oven.runs) == (Relief.QUARTER_RATE, "0.0.2")
    graph.write_bytes(whole)
    oven.guard.watch(may_exchange=True)
    assert (oven.guard.relief, oven.runs) == (Relief.HALF_RATE, "0.0.1")
