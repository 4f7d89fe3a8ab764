"""What a model that was switched to is rolled back for, and what not."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.settings import UpdateSettings
from edge.update.probation import Period, Verdict, judge

LIMITS = UpdateSettings(hardware="cpu", root=Path("root.json"))
GOOD = Period(
    lasted_s=700, captured=100, processed=100, segmented=90, with_plants=88, step_ms=12.0, rss_bytes=150 * 2**20
)


def verdict(since: Period, before: Period = GOOD, disagreement: str = "") -> tuple[Verdict, str]:
    return judge(before, since, LIMITS, disagreement)


def test_a_model_that_does_as_well_is_confirmed():
    assert verdict(GOOD) == (Verdict.CONFIRM, "")


@pytest.mark.parametrize("missing", [{"lasted_s": 599.0}, {"segmented": 4, "with_plants": 4}])
def test_it_is_waited_for_time_and_pictures(missing):
    assert verdict(replace(GOOD, **missing))[0] is Verdict.WAIT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"failed": 40, "processed": 60}, "40 of 100 pictures failed"),
        ({"with_plants": 0}, "0% of the pictures"),
        ({"step_ms": 40.0}, "40 ms"),
        ({"processed": 40}, "40% of the pictures"),
        ({"rss_bytes": 2 * 2**30}, "2048 MiB"),
    ],
)
@pytest.mark.parametrize("lasted_s", [30.0, 700.0])
def test_what_it_is_rolled_back_for_at_any_time(change, reason, lasted_s):
    found, why = verdict(replace(GOOD, lasted_s=lasted_s, **change))
    assert found is Verdict.ROLL_BACK
    assert reason in why


def test_disagreement_rolls_back():
    assert verdict(GOOD, disagreement="it disagrees") == (Verdict.ROLL_BACK, "it disagrees")


@pytest.mark.parametrize(
    ("change", "before"),
    [
        ({"failed": 1, "processed": 2, "captured": 3}, GOOD),
        ({"failed": 40, "processed": 60}, replace(GOOD, failed=30, processed=70)),
        ({"with_plants": 0}, replace(GOOD, with_plants=0)),
        ({"with_plants": 0, "segmented": 3}, GOOD),
        ({"captured": 10, "processed": 2}, GOOD),
        ({"step_ms": None}, GOOD),
        ({"step_ms": 40.0}, Period()),
        ({"rss_bytes": None}, GOOD),
    ],
)
def test_what_few_pictures_or_an_empty_greenhouse_say_is_held_against_nobody(change, before):
    assert verdict(replace(GOOD, **change), before)[0] is not Verdict.ROLL_BACK
