"""Sets of numbers as runs: ``((1, 40), (44, 44))`` holds 1 to 40 and 44. Pure arithmetic.

Runs are inclusive, in rising order, and never touch each other.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]
Spans = tuple[Span, ...]

_LAST = (1 << 63) - 1


def union(*sets: Iterable[Span]) -> Spans:
    """Every number that is in any of the sets; the inputs may overlap and be in any order."""
    merged: list[Span] = []
    for first, last in sorted(span for spans in sets for span in spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def runs(numbers: Iterable[int]) -> Spans:
    """The set of single numbers."""
    return union((number, number) for number in numbers)


def contains(spans: Sequence[Span], number: int) -> bool:
    """Whether the number is in the set."""
    place = bisect_right(spans, (number, _LAST))
    return place > 0 and spans[place - 1][1] >= number


def watermark(spans: Sequence[Span]) -> int:
    """The end of the run that begins at 1; 0 if there is none."""
    return spans[0][1] if spans and spans[0][0] == 1 else 0


def holes(spans: Sequence[Span], upto: int) -> Spans:
    """The numbers from 1 to ``upto`` that are not in the set."""
    found: list[Span] = []
    expected = 1
    for first, last in spans:
        if expected > upto:
            break
        if first > expected:
            found.append((expected, min(first - 1, upto)))
        expected = last + 1
    if expected <= upto:
        found.append((expected, upto))
    return tuple(found)


def size(spans: Iterable[Span]) -> int:
    """How many numbers are in the set."""
    return sum(last - first + 1 for first, last in spans)
