"""Which records of a stream are new, and how far it is complete. Pure decisions over runs of numbers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from fleet.ingest.spans import Span, Spans, contains, runs, union, watermark

MAX_SPANS = 1_000
"""Runs kept for one stream. A device that sends from its watermark in order makes few; one that makes more than this is
taken at its word only where it closes the first hole."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What a batch adds to a stream: ``fresh`` numbers and ``gaps`` to file, and what is covered with them.

    ``covered`` holds every number that was received or told dropped; ``left_out`` counts what must be sent again.
    """

    fresh: frozenset[int]
    gaps: Spans
    covered: Spans
    repeated: int
    left_out: int

    @property
    def watermark(self) -> int:
        """Everything up to here is accounted for."""
        return watermark(self.covered)


def doubtful(seqs: Iterable[int], gaps: Sequence[Span]) -> list[int]:
    """The numbers that were told dropped: only the store knows whether their record came all the same."""
    return sorted({seq for seq in seqs if contains(gaps, seq)})


def admit(
    covered: Spans, gaps: Sequence[Span], seqs: Sequence[int], told: Iterable[Span], present: Collection[int]
) -> Admission:
    """Decide about records ``seqs`` and dropped ranges ``told``, given what the store holds.

    Args:
        covered: numbers received or told dropped so far.
        gaps: numbers told dropped so far; a record of them is new unless it is ``present``.
        seqs: numbers of the records that came, with repeats.
        told: ranges that the device now says it dropped.
        present: those of ``doubtful(seqs, gaps)`` whose record the store has.
    """
    fresh: set[int] = set()
    for seq in seqs:
        if seq not in present and (contains(gaps, seq) or not contains(covered, seq)):
            fresh.add(seq)
    repeated = len(seqs) - len(fresh)
    ranges = tuple(dict.fromkeys(told))
    after = union(covered, runs(fresh), ranges)
    if len(after) > MAX_SPANS:
        end = watermark(after)
        kept = {seq for seq in fresh if seq <= end}
        kept_ranges = tuple(span for span in ranges if span[1] <= end)
        left_out = len(fresh) - len(kept) + len(ranges) - len(kept_ranges)
        return Admission(frozenset(kept), kept_ranges, union(covered, runs(kept), kept_ranges), repeated, left_out)
    return Admission(frozenset(fresh), ranges, after, repeated, 0)
