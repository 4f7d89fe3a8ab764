"""Hours add up, lie in order, and none is skipped."""

from datetime import timedelta

from fleet.questions.completeness import Hour, Lapse, by_hour
from tests.sim.fleet_records import NOON


def test_each_hour_has_its_own_counts_and_an_empty_hour_is_shown() -> None:
    found = by_hour(
        {NOON: 10},
        [Lapse(3, NOON + timedelta(minutes=59)), Lapse(2, NOON)],
        [Lapse(7, NOON + timedelta(hours=2))],
        [NOON + timedelta(hours=2, minutes=5)],
        until=NOON + timedelta(hours=2, minutes=30),
        hours=3,
    )
    assert found == [
        Hour(NOON, received=10, missing=5),
        Hour(NOON + timedelta(hours=1)),
        Hour(NOON + timedelta(hours=2), dropped=7, epoch_breaks=1),
    ]


def test_what_lies_before_the_first_hour_is_not_counted() -> None:
    found = by_hour({NOON - timedelta(hours=5): 9}, [Lapse(9, NOON - timedelta(hours=5))], [], [], until=NOON, hours=1)
    assert found == [Hour(NOON)]
