"""Runs of numbers behave as the sets that they stand for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fleet.ingest.spans import contains, holes, runs, size, union, watermark

SPAN = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
SPANS = st.lists(SPAN, max_size=12)


def members(spans: object) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}  # type: ignore[attr-defined]


@given(SPANS, SPANS)
def test_a_union_holds_exactly_the_members_of_both(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    assert members(union(one, two)) == members(one) | members(two)


@given(SPANS)
def test_runs_are_in_order_and_never_touch(spans: list[tuple[int, int]]) -> None:
    merged = union(spans)
    assert all(after[0] > before[1] + 1 for before, after in pairwise(merged))
    assert size(merged) == len(members(spans))


@given(st.sets(st.integers(1, 80)))
def test_the_watermark_is_the_last_number_before_the_first_hole(numbers: set[int]) -> None:
    expected = next(number for number in range(82) if number + 1 not in numbers)
    assert watermark(runs(numbers)) == expected


@given(SPANS, st.integers(0, 100))
def test_holes_are_what_is_not_in_the_set(spans: list[tuple[int, int]], upto: int) -> None:
    assert members(holes(union(spans), upto)) == set(range(1, upto + 1)) - members(spans)


@given(SPANS, st.integers(1, 80))
def test_membership_is_found_by_bisection(spans: list[tuple[int, int]], number: int) -> None:
    assert contains(union(spans), number) == (number in members(spans))
