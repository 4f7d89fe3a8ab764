"""The probation of a model that was switched to: what it is judged by, and the judgement. Pure."""

from dataclasses import dataclass
from enum import Enum

from edge.settings import UpdateSettings
from edge.sights import Seen

LEAST_PICTURES = 5
"""With fewer nothing is said about shares."""

LEAST_CAPTURED = 20
"""Before this many came from the cameras, nothing is said of how many were dropped."""

MORE_FAILED = 0.2
KEPT_SHARE = 0.5
"""Of the share of pictures with plants, and of the share that is measured and not dropped, so much must be left."""

LEAST_PLANTED = 0.5
"""Where fewer of the pictures showed plants before, none to be seen is no sign of blindness."""


class Verdict(Enum):
    """What becomes of the model."""

    WAIT = "wait"
    CONFIRM = "confirm"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True)
class Period:
    """What happened in a stretch of time with one model.

    Attributes:
        lasted_s: its length.
        captured, processed, failed: pictures of all cameras; what was captured and is neither was dropped.
        segmented, with_plants: pictures fit to be measured, and those in which plants were found.
        step_ms: median time of a step; None before the first.
        rss_bytes: memory of the daemon at the end; None where the kernel does not say.
    """

    lasted_s: float = 0.0
    captured: int = 0
    processed: int = 0
    failed: int = 0
    segmented: int = 0
    with_plants: int = 0
    step_ms: float | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The device's counters at one moment, by ``edge.clock.monotonic_s``."""

    at_s: float
    captured: int
    processed: int
    failed: int
    seen: Seen
    step_ms: float | None
    rss_bytes: int | None


def between(first: Reading, last: Reading) -> Period:
    """What happened from one reading to another."""
    return Period(
        lasted_s=last.at_s - first.at_s,
        captured=last.captured - first.captured,
        processed=last.processed - first.processed,
        failed=last.failed - first.failed,
        segmented=last.seen.pictures - first.seen.pictures,
        with_plants=last.seen.with_plants - first.seen.with_plants,
        step_ms=last.step_ms,
        rss_bytes=last.rss_bytes,
    )


def judge(before: Period, since: Period, limits: UpdateSettings, disagreement: str) -> tuple[Verdict, str]:
    """Judge a model by what happened ``before`` it and ``since``.

    Args:
        before: with the model that ran before.
        since: with this one.
        limits: how long and how much it takes to be believed.
        disagreement: what speaks against it beside the model that ran before; empty if nothing does.

    Returns:
        The verdict, and why it is rolled back or not yet confirmed.
    """
    objection = (
        _failures(before, since)
        or _blindness(before, since)
        or _slowness(before, since, limits)
        or _memory(since, limits)
    )
    if objection or disagreement:
        return Verdict.ROLL_BACK, objection or disagreement
    if since.lasted_s < limits.probation_s:
        return Verdict.WAIT, ""
    if since.segmented < limits.probation_pictures:
        return Verdict.WAIT, f"waits for pictures fit to measure: {since.segmented} of {limits.probation_pictures}"
    return Verdict.CONFIRM, ""


def _failures(before: Period, since: Period) -> str:
    """A camera whose pictures were broken before is not the model's fault."""
    looked = since.failed + since.processed
    was = before.failed / max(1, before.failed + before.processed)
    if since.failed >= LEAST_PICTURES and since.failed / looked > was + MORE_FAILED:
        return f"{since.failed} of {looked} pictures failed"
    return ""


def _blindness(before: Period, since: Period) -> str:
    if min(before.segmented, since.segmented) < LEAST_PICTURES:
        return ""
    was, is_now = before.with_plants / before.segmented, since.with_plants / since.segmented
    if was >= LEAST_PLANTED and is_now < KEPT_SHARE * was:
        return f"it finds plants in {is_now:.0%} of the pictures, the model before did in {was:.0%}"
    return ""


def _slowness(before: Period, since: Period, limits: UpdateSettings) -> str:
    """By the time of a step, and by what the loop could not keep up with; a camera that is lost changes neither."""
    enough = min(before.segmented, since.segmented) >= LEAST_PICTURES
    if enough and before.step_ms and since.step_ms and since.step_ms > limits.slowdown * before.step_ms:
        return f"a picture takes {since.step_ms:.0f} ms, with the model before it took {before.step_ms:.0f} ms"
    if min(before.captured, since.captured) < LEAST_CAPTURED:
        return ""
    was, is_now = before.processed / before.captured, since.processed / since.captured
    if is_now < KEPT_SHARE * was:
        return f"{is_now:.0%} of the pictures are measured, with the model before {was:.0%} were"
    return ""


def _memory(since: Period, limits: UpdateSettings) -> str:
    if since.rss_bytes is not None and since.rss_bytes > limits.memory_bytes:
        return (
            f"the daemon holds {since.rss_bytes >> 20} MiB, update.memory_bytes allows {limits.memory_bytes >> 20} MiB"
        )
    return ""
