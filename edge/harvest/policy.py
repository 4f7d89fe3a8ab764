"""Which frames are kept: pure, and decided when the frame is there, because no frame waits in memory for the evening.

A day's bytes are two purses. What is kept for a reason is paid from the one that fills as the day goes on, so that a
morning cannot eat the evening's. What is kept by chance is paid from the other: its chance follows from what is left
and from how many frames are still expected, so it is never spent long before the day's end, and it never depends on the
frame itself.

With ``probability``, the chance of a frame to be kept given all that came before and what is seen in it, the sum of
value/probability over the kept frames has the sum over all frames as its expectation (Horvitz and Thompson 1952; here
each step adds a difference with mean 0, so that chances may follow from earlier draws). A frame that is kept for a
reason had a probability of 1. Frames that came when the purse of chance did not hold one more had none; they are
counted in ``Budget.uncovered``.
"""

import random
from dataclasses import dataclass, replace
from datetime import date, datetime

from edge.contract.frames import Reason
from edge.settings.harvest import HarvestSettings

DAY_S = 86_400.0
LEAST_AHEAD = 0.1
"""So large a share of a day's frames is always expected still: estimates of how many come are off."""

THRIFT = 3.0
"""The fewer frames the purse of chance holds, the slower it is spent: about two thirds are, and then it hardly ever
ends before the day does."""

FIRST_GAP_S = 60.0
FOLLOW = 0.05


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame that was measured, and what speaks for keeping it, the strongest first."""

    at: datetime
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """What is known before a frame is looked at.

    Attributes:
        day: the day, in UTC.
        by_chance_bytes, for_reasons_bytes: what was spent today from each purse.
        seen: frames of today; ``uncovered`` of them had no chance, and of ``unfiltered`` that were to be kept the
            privacy filter gave no picture.
        expected: frames that a day has; 0 is not known.
        gap_s: the usual time between two frames.
        mean_bytes: the usual size of a kept frame; 0 is not known.
        last_at, last_reason_at: when the last frame came, and when one was last kept for a reason.
    """

    day: date
    by_chance_bytes: int = 0
    for_reasons_bytes: int = 0
    seen: int = 0
    uncovered: int = 0
    unfiltered: int = 0
    expected: int = 0
    gap_s: float = FIRST_GAP_S
    mean_bytes: float = 0.0
    last_at: datetime | None = None
    last_reason_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """That a frame is kept, why, and with which probability."""

    reason: Reason
    probability: float


def entered(budget: Budget, at: datetime) -> Budget:
    """The budget when a frame comes at ``at``: of its day, and with what its coming tells."""
    if at.date() > budget.day:  # a clock that goes back opens no purse again
        budget = Budget(
            at.date(), expected=budget.seen or budget.expected, gap_s=budget.gap_s, mean_bytes=budget.mean_bytes,
            last_at=budget.last_at, last_reason_at=budget.last_reason_at,
        )  # fmt: skip
    gap_s = budget.gap_s
    if budget.last_at is not None and 0 <= (since_s := (at - budget.last_at).total_seconds()) < DAY_S / 2:
        gap_s += FOLLOW * (since_s - gap_s)
    return replace(budget, seen=budget.seen + 1, gap_s=max(1e-3, gap_s), last_at=at)


def choose(candidate: Candidate, budget: Budget, settings: HarvestSettings, rng: random.Random) -> Keep | None:
    """Whether to keep a frame that has ``entered`` the budget."""
    if candidate.reasons and _affords_reason(candidate.at, budget, settings):
        return Keep(candidate.reasons[0], 1.0)
    chance = chance_of(candidate.at, budget, settings)
    return Keep(Reason.RANDOM, chance) if rng.random() < chance else None


def chance_of(at: datetime, budget: Budget, settings: HarvestSettings) -> float:
    """The chance of a frame that nothing speaks for."""
    spare_bytes = settings.random_share * settings.day_bytes - budget.by_chance_bytes - settings.most_bytes
    if spare_bytes <= 0:
        return 0.0
    frames = spare_bytes / (budget.mean_bytes or settings.most_bytes)
    return min(1.0, frames * frames / (frames + THRIFT) / _ahead(at, budget))


def covered(candidate: Candidate, budget: Budget, settings: HarvestSettings) -> Budget:
    """The budget with note of a frame that had no chance."""
    has_one = bool(candidate.reasons) and _affords_reason(candidate.at, budget, settings)
    missed = not has_one and chance_of(candidate.at, budget, settings) == 0
    return replace(budget, uncovered=budget.uncovered + missed)


def reserved(budget: Budget, keep: Keep, at: datetime, settings: HarvestSettings) -> Budget:
    """The budget before a frame is written: with the most that it can take."""
    return _spent(budget, keep, settings.most_bytes, at)


def settled(budget: Budget, keep: Keep, size_bytes: int, settings: HarvestSettings) -> Budget:
    """The budget once it is known what the frame took; 0 of one that could not be kept, which tells of no size."""
    back = _spent(budget, keep, size_bytes - settings.most_bytes, None)
    if not size_bytes:
        return back
    mean = budget.mean_bytes + 0.2 * (size_bytes - budget.mean_bytes) if budget.mean_bytes else size_bytes
    return replace(back, mean_bytes=mean)


def _affords_reason(at: datetime, budget: Budget, settings: HarvestSettings) -> bool:
    """Whether what has flowed into the purse since midnight holds one more frame, and the last is long enough ago."""
    if budget.last_reason_at is not None and 0 <= (at - budget.last_reason_at).total_seconds() < settings.apart_s:
        return False
    purse_bytes = (1 - settings.random_share) * settings.day_bytes
    flowed_bytes = min(purse_bytes, purse_bytes * _elapsed_s(at) / DAY_S + settings.most_bytes)
    return budget.for_reasons_bytes + settings.most_bytes <= flowed_bytes


def _ahead(at: datetime, budget: Budget) -> float:
    """How many frames are expected until midnight, this one among them."""
    if budget.expected:
        return max(budget.expected - budget.seen + 1, LEAST_AHEAD * budget.expected, 1.0)
    return max((DAY_S - _elapsed_s(at)) / budget.gap_s, LEAST_AHEAD * DAY_S / budget.gap_s, 1.0)


def _elapsed_s(at: datetime) -> float:
    return (at - at.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def _spent(budget: Budget, keep: Keep, size_bytes: int, at: datetime | None) -> Budget:
    if keep.reason is Reason.RANDOM:
        return replace(budget, by_chance_bytes=budget.by_chance_bytes + size_bytes)
    spent = replace(budget, for_reasons_bytes=budget.for_reasons_bytes + size_bytes)
    return spent if at is None else replace(spent, last_reason_at=at)
