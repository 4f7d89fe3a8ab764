"""Which frames are kept: never more than the day's bytes, by no accident of the hour, and without bias."""

import random
from datetime import datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.frames import Reason
from edge.harvest.policy import Budget, Candidate, Keep, choose, covered, entered, reserved, settled
from edge.settings.harvest import HarvestSettings

MORNING = datetime(2026, 3, 1, tzinfo=timezone.utc)
LIMITS = HarvestSettings(day_bytes=1_200_000, frame_bytes=60_000, random_share=0.4, apart_s=0)

reasons = st.lists(st.sampled_from([Reason.UNCERTAIN, Reason.DRIFTED, Reason.DISAGREEING]), max_size=2).map(tuple)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(-7_200, 40_000), reasons, st.integers(1, LIMITS.most_bytes)), min_size=1, max_size=120
    ),
    seed=st.integers(0, 2**32),
)
def test_no_day_keeps_more_than_its_bytes(steps, seed) -> None:
    """Whatever comes, and also where the clock goes back."""
    rng, budget, at = random.Random(seed), Budget(MORNING.date()), MORNING
    kept: dict[object, int] = {}
    for after_s, why, size_bytes in steps:
        at += timedelta(seconds=after_s)
        budget = entered(budget, at)
        keep = choose(Candidate(at, why), budget, LIMITS, rng)
        if keep is None:
            continue
        budget = settled(reserved(budget, keep, at, LIMITS), keep, size_bytes, LIMITS)
        kept[budget.day] = kept.get(budget.day, 0) + size_bytes
        assert budget.by_chance_bytes >= 0
        assert budget.for_reasons_bytes >= 0
    assert all(total <= LIMITS.day_bytes for total in kept.values())


def a_day(rng: random.Random, budget: Budget, every_s: int = 300) -> tuple[list[tuple[datetime, Keep]], Budget, float]:
    """A day in which the value of a frame, and the reasons, depend on the hour; what was kept, and the true sum."""
    found, total = [], 0.0
    for number in range(86_400 // every_s):
        at = budget_day(budget, number * every_s)
        budget = entered(budget, at)
        candidate = Candidate(at, (Reason.UNCERTAIN,) if number % 7 == 0 else ())
        total += value(at)
        budget = covered(candidate, budget, LIMITS)
        keep = choose(candidate, budget, LIMITS, rng)
        if keep is not None:
            budget = settled(reserved(budget, keep, at, LIMITS), keep, 30_000 + number * 50, LIMITS)
            found.append((at, keep))
    return found, budget, total


def budget_day(budget: Budget, second: float) -> datetime:
    return datetime.combine(DAYS[0], datetime.min.time(), timezone.utc) + timedelta(seconds=second)


def value(at: datetime) -> float:
    return 1.0 + at.hour**2


DAYS = [MORNING.date()]


def test_estimates_by_inverse_probabilities_have_no_bias_over_many_draws() -> None:
    before = Budget((MORNING - timedelta(days=1)).date(), seen=288, mean_bytes=40_000)
    estimates, uncovered = [], 0
    for seed in range(1_000):
        found, budget, total = a_day(random.Random(seed), before)
        estimates.append(sum(value(at) / keep.probability for at, keep in found))
        uncovered += budget.uncovered
    mean = sum(estimates) / len(estimates)
    spread = (sum((each - mean) ** 2 for each in estimates) / len(estimates) ** 2) ** 0.5
    assert uncovered < 0.005 * 288 * 1_000
    assert abs(mean - total) < 4 * spread + 0.005 * total
    assert spread < 0.05 * total, "so that the test above says something"


def test_a_morning_full_of_reasons_leaves_the_evening_its_share() -> None:
    budget, rng, kept = Budget(MORNING.date()), random.Random(1), []
    for minute in range(24 * 60):
        at = MORNING + timedelta(minutes=minute)
        budget = entered(budget, at)
        keep = choose(Candidate(at, (Reason.DRIFTED,)), budget, LIMITS, rng)
        if keep is not None and keep.reason is not Reason.RANDOM:
            budget = settled(reserved(budget, keep, at, LIMITS), keep, 50_000, LIMITS)
            kept.append(at.hour)
    assert sum(hour < 12 for hour in kept) <= 9
    assert sum(hour >= 12 for hour in kept) >= 4


def test_a_kill_between_the_reservation_and_the_frame_costs_bytes_and_gives_none() -> None:
    keep = Keep(Reason.RANDOM, 0.5)
    assert reserved(Budget(MORNING.date()), keep, MORNING, LIMITS).by_chance_bytes == LIMITS.most_bytes


def test_a_frame_that_could_not_be_kept_gives_its_bytes_back_and_tells_of_no_size() -> None:
    keep = Keep(Reason.RANDOM, 0.5)
    known = Budget(MORNING.date(), mean_bytes=50_000.0)
    failed = settled(reserved(known, keep, MORNING, LIMITS), keep, 0, LIMITS)
    assert (failed.by_chance_bytes, failed.mean_bytes) == (0, 50_000.0)
