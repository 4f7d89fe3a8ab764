"""Whether failures share a hardware or a kind of camera more than chance would have it. Pure, in whole numbers.

Fisher's exact test, one-sided (R. A. Fisher, *The Design of Experiments*, 1935, ch. II; hypergeometric tail): if the
failures had fallen on the executed devices by lot, how often would a group have got at least as many? It is exact for
any numbers, however small, needs no assumed failure rate, and never stops because everything fails everywhere: that is
what a wave's own thresholds are for.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one device ended, and the groups that it belongs to, as ``hardware=orin``."""

    groups: frozenset[str]
    failed: bool


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Devices that fail where others do not; ``groups`` are what they share, ``chance`` is the test's p-value."""

    groups: tuple[str, ...]
    failed: int
    executed: int
    others_failed: int
    others_executed: int
    chance: float

    def __str__(self) -> str:
        return (
            f"{self.failed} of {self.executed} devices with {', '.join(self.groups)} failed, but {self.others_failed} "
            f"of {self.others_executed} others (by chance: 1 in {1 / self.chance:,.0f})"
        )


def find_suspicion(outcomes: Iterable[Outcome], *, alpha: float, min_failures: int) -> Suspicion | None:
    """The devices that are least likely to fail so often by chance, if that is unlikely enough.

    Args:
        outcomes: every device that has ended in the whole rollout.
        alpha: largest p-value of one look, shared evenly by the groups that the devices fall into (Bonferroni). Looking
            again after each device is not paid for; ``benchmarks/false_halts.py`` measures what comes of it.
        min_failures: fewer failures of a group stop nothing.
    """
    ended = list(outcomes)
    members: dict[frozenset[int], list[str]] = defaultdict(list)
    for group in sorted({group for outcome in ended for group in outcome.groups}):
        members[frozenset(n for n, outcome in enumerate(ended) if group in outcome.groups)].append(group)
    rate = sum(outcome.failed for outcome in ended) / max(1, len(ended))
    found = [
        _suspicion(ended, numbers, groups)
        for numbers, groups in members.items()
        if sum(ended[number].failed for number in numbers) >= max(min_failures, rate * len(numbers))
    ]
    serious = [one for one in found if one.chance * len(members) <= alpha]
    return min(serious, key=lambda one: one.chance, default=None)


def _suspicion(ended: Sequence[Outcome], numbers: frozenset[int], groups: Sequence[str]) -> Suspicion:
    """How the devices of these numbers, which share all of ``groups``, do against the others."""
    failures = sum(outcome.failed for outcome in ended)
    failed = sum(ended[number].failed for number in numbers)
    chance = tail(len(ended), failures, len(numbers), failed)
    others = len(ended) - len(numbers)
    return Suspicion(tuple(groups), failed, len(numbers), failures - failed, others, chance)


def tail(executed: int, failures: int, members: int, failed: int) -> float:
    """Chance that ``members`` of ``executed`` devices, drawn by lot, hold at least ``failed`` of the ``failures``."""
    most = min(members, failures)
    ways = sum(comb(members, k) * comb(executed - members, failures - k) for k in range(failed, most + 1))
    return ways / comb(executed, failures)
