"""Whether failures share a hardware or a kind of camera more than chance would have it. Pure, in whole numbers.

Fisher's exact test, one-sided (R. A. Fisher, *The Design of Experiments*, 1935, ch. II; hypergeometric tail): if the
failures had fallen on the executed devices by lot, how often would a group have got at least as many? It is exact for
any numbers, however small, needs no assumed failure rate, and never stops because everything fails everywhere: that is
what a wave's own thresholds are for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one device ended, and the groups that it belongs to, as ``hardware=orin``."""

    groups: frozenset[str]
    failed: bool


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A group that fails where others do not; ``chance`` is the test's p-value."""

    group: str
    failed: int
    executed: int
    others_failed: int
    others_executed: int
    chance: float

    def __str__(self) -> str:
        return (
            f"{self.failed} of {self.executed} devices with {self.group} failed, but {self.others_failed} of "
            f"{self.others_executed} others (by chance: {self.chance:.1g})"
        )


def find_suspicion(outcomes: Iterable[Outcome], *, alpha: float, min_failures: int) -> Suspicion | None:
    """The group that is least likely to fail so often by chance, if that is at most ``alpha``.

    Args:
        outcomes: every device that has ended in the whole rollout.
        alpha: largest p-value that stops; it holds for one look at one group. Fisher's test is conservative for few
            failures, which pays for the repeated looks (measured in ``benchmarks/false_halts.py``).
        min_failures: fewer failures of a group stop nothing.
    """
    ended = list(outcomes)
    failures = sum(outcome.failed for outcome in ended)
    found = []
    for group in sorted({group for outcome in ended if outcome.failed for group in outcome.groups}):
        members = [outcome for outcome in ended if group in outcome.groups]
        failed = sum(outcome.failed for outcome in members)
        if failed >= min_failures:
            chance = tail(len(ended), failures, len(members), failed)
            others = len(ended) - len(members)
            found.append(Suspicion(group, failed, len(members), failures - failed, others, chance))
    likeliest = min(found, key=lambda suspicion: suspicion.chance, default=None)
    return likeliest if likeliest is not None and likeliest.chance <= alpha else None


def tail(executed: int, failures: int, members: int, failed: int) -> float:
    """Chance that ``members`` of ``executed`` devices, drawn by lot, hold at least ``failed`` of the ``failures``."""
    most = min(members, failures)
    ways = sum(comb(members, k) * comb(executed - members, failures - k) for k in range(failed, most + 1))
    return ways / comb(executed, failures)
