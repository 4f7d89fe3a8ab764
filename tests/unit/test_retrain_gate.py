"""The gate: a candidate must be no worse anywhere and better where it drifted, and silence opens nothing."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.contract.comparison import Comparison, Slice
from edge.contract.control import ModelRef
from fleet.retrain.gate import judge, passes
from fleet.retrain.settings import GateSettings

DATA = f"sha256:{1:064}"
ASKED = GateSettings()


def part(name, champion=2.0, candidate=2.0, *, iou=(0.8, 0.8), pictures=100, data=DATA):
    return Slice(
        name=name, data=data, pictures=pictures,
        champion={"leaf_count_mae": champion, "mean_iou": iou[0], "symmetric_best_dice": 0.5},
        candidate={"leaf_count_mae": candidate, "mean_iou": iou[1], "symmetric_best_dice": 0.1},
    )  # fmt: skip


def comparison(*parts):
    ours, theirs = (ModelRef(name="r", version=f"1.0.{n}", digest=f"sha256:{n:064}") for n in (1, 2))
    return Comparison(champion=ours, candidate=theirs, made_at=datetime(2026, 6, 1, tzinfo=timezone.utc), slices=parts)


BENCH, NORTH, DRIFTED = part("benchmark"), part("site:north"), part("drifted", 4.0, 2.0)


def failing(*parts, sites=("north",), asked=ASKED):
    return [finding.slice for finding in judge(comparison(*parts), sites, asked) if not finding.ok]


def test_a_candidate_that_mends_the_drift_and_harms_nothing_passes():
    findings = judge(comparison(BENCH, NORTH, DRIFTED), ["north"], ASKED)
    assert passes(findings)
    assert all(finding.says for finding in findings)


@pytest.mark.parametrize("missing", ["benchmark", "site:north", "drifted"])
def test_a_slice_that_is_missing_or_too_small_shuts_the_gate(missing):
    parts = [each for each in (BENCH, NORTH, DRIFTED) if each.name != missing]
    assert failing(*parts) == [missing]
    assert failing(*parts, part(missing, 4.0, 2.0, pictures=1)) == [missing]


def test_each_site_of_the_frames_is_asked_for():
    assert failing(BENCH, NORTH, DRIFTED, sites=("north", "south")) == ["site:south"]


@pytest.mark.parametrize("name", ["benchmark", "site:north", "drifted"])
def test_worse_counts_or_masks_anywhere_shut_the_gate(name):
    others = [each for each in (BENCH, NORTH, DRIFTED) if each.name != name]
    assert name in failing(*others, part(name, 2.0, 2.3))
    assert name in failing(*others, part(name, 4.0, 2.0, iou=(0.8, 0.78)))


def test_a_candidate_that_mends_nothing_is_not_worth_a_rollout():
    assert failing(BENCH, NORTH, part("drifted", 4.0, 3.9)) == ["drifted"]
    assert failing(BENCH, NORTH, part("drifted", 4.0, 3.9, iou=(0.6, 0.7))) == []


def test_other_pictures_than_the_frozen_benchmark_shut_the_gate():
    asked = GateSettings(benchmark=f"sha256:{2:064}")
    assert failing(BENCH, NORTH, DRIFTED, asked=asked) == ["benchmark"]


def test_what_the_candidate_was_not_measured_by_is_not_good():
    silent = DRIFTED.model_copy(update={"candidate": {}})
    assert set(failing(BENCH, NORTH, silent)) == {"drifted"}
    assert failing(BENCH, NORTH.model_copy(update={"champion": {}}), DRIFTED) == ["site:north"]


def test_nothing_asked_is_nothing_shown():
    assert not passes([])


def test_a_slice_stands_once_and_its_numbers_are_numbers():
    with pytest.raises(ValidationError, match="twice"):
        comparison(BENCH, BENCH)
    with pytest.raises(ValidationError):
        Slice.model_validate_json(part("drifted").model_dump_json().replace("4.0", "NaN").replace("2.0", "NaN"))


@given(
    champion=st.floats(0, 50), candidate=st.floats(0, 50), iou=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    other=st.floats(0, 50),
)  # fmt: skip
def test_an_open_gate_always_means_no_slice_got_worse_than_allowed(champion, candidate, iou, other):
    parts = (part("benchmark", champion, candidate, iou=iou), NORTH, part("drifted", other, candidate))
    if passes(judge(comparison(*parts), ["north"], ASKED)):
        assert candidate <= champion + max(ASKED.count_loss, ASKED.count_loss_share * champion)
        assert iou[1] >= iou[0] - ASKED.overlap_loss
        assert candidate <= other * (1 - ASKED.count_gain_share) + 1e-9
