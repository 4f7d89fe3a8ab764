"""Which records are new, against a model that keeps plain sets."""

from hypothesis import given
from hypothesis import strategies as st

from fleet.ingest.account import MAX_SPANS, admit, doubtful
from fleet.ingest.spans import runs, union

SEQS = st.lists(st.integers(1, 40), max_size=30)
GAPS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=3)


@given(st.lists(st.tuples(SEQS, GAPS), max_size=6))
def test_every_number_is_new_once_whatever_the_order_and_the_repeats(batches: list) -> None:
    arrived: set[int] = set()
    gaps: tuple = ()
    covered: tuple = ()
    repeated = 0
    for seqs, told in batches:
        present = set(doubtful(seqs, union(gaps))) & arrived
        admission = admit(covered, union(gaps), seqs, told, present)
        assert admission.fresh == set(seqs) - arrived
        arrived |= set(seqs)
        repeated += admission.repeated
        gaps, covered = (*gaps, *told), admission.covered
        assert covered == union(runs(arrived), gaps)
    assert repeated == sum(len(seqs) for seqs, _ in batches) - len(arrived)


def test_a_gap_moves_the_watermark_over_its_range() -> None:
    assert admit(((1, 3),), (), [8], [(4, 7)], set()).watermark == 8


def test_numbers_scattered_without_end_are_left_out_and_the_first_hole_can_still_be_closed() -> None:
    covered = tuple((number, number) for number in range(3, 2 * MAX_SPANS + 2, 2))
    admission = admit(covered, (), [1, 2, 9_999_999], [(8_000_000, 8_000_001)], set())
    assert (admission.fresh, admission.watermark, admission.left_out) == ({1, 2}, 3, 2)
    assert len(admission.covered) <= MAX_SPANS
