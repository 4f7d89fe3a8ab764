"""What calls for training: a change that stays, by a cause that training mends or by a person's word."""

from datetime import date, timedelta

import pytest

from fleet.drift.cause import Cause
from fleet.drift.labels import Said
from fleet.retrain.reason import Seen, reasons

MODEL, OTHER = f"sha256:{1:064}", f"sha256:{2:064}"
DAY = date(2026, 6, 1)
TODAY = DAY + timedelta(days=5)


def seen(day=0, camera="top", *, cause=Cause.VARIETY, said=None, model=MODEL, site="north"):
    return Seen((site, "dev", camera), DAY + timedelta(days=day), model, cause, said)


def test_a_camera_that_stays_changed_is_a_reason_with_its_beginning_and_its_cause():
    (reason,) = reasons([seen(1), seen(2), seen(2, "side"), seen(3, "side")], 2, TODAY)
    assert (reason.model, reason.since) == (MODEL, DAY + timedelta(days=1))
    assert reason.cameras == (("north", "dev", "side"), ("north", "dev", "top"))
    assert reason.why == "2 cameras have changed since 2026-06-02: variety"
    assert reason.sites == ("north",)


def test_what_is_gone_tomorrow_is_no_reason():
    assert reasons([seen(1), seen(2, "side")], 2, TODAY) == []


@pytest.mark.parametrize("cause", [Cause.FOG, Cause.FOCUS, Cause.KNOCK, Cause.DUST, Cause.EXPOSURE, Cause.MODEL])
def test_what_a_cloth_or_a_screwdriver_mends_is_no_reason(cause):
    assert reasons([seen(1, cause=cause), seen(2, cause=cause)], 2, TODAY) == []


def test_a_persons_word_goes_before_the_rule():
    fog = [seen(day, cause=Cause.FOG, said=Said.NEW_VARIETY) for day in (1, 2)]
    assert "new variety" in reasons(fog, 2, TODAY)[0].why
    assert reasons([seen(day, said=Said.EXPECTED) for day in (1, 2)], 2, TODAY) == []
    assert reasons([seen(day, said=Said.PESTS) for day in (1, 2)], 2, TODAY), "pests stay an alarm, and the rule counts"


def test_each_model_has_a_reason_of_its_own_by_what_the_camera_ran_last():
    found = reasons([seen(1), seen(2), seen(1, "b"), seen(2, "b", model=OTHER)], 2, TODAY)
    assert [(reason.model, reason.cameras[0][2]) for reason in found] == [(MODEL, "top"), (OTHER, "b")]


def test_a_change_is_dated_from_its_beginning_and_must_have_been_seen_this_week():
    lately = [seen(day) for day in (-7, -6, 3, 4)]
    (reason,) = reasons(lately, 2, TODAY)
    assert reason.since == DAY - timedelta(days=7)
    assert reasons(lately[:3], 2, TODAY) == [], "on one day of the last week"
    assert reasons([seen(-7), seen(-6)], 2, TODAY) == []
