"""The self-test of a new model on this device: does it run, does it fit, does it see?"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge.contract.control import ModelRef, ShadowReport
from edge.errors import CandidateRejected
from edge.settings import InferenceSettings, UpdateSettings
from edge.sights import Sight
from edge.update.agreement import Comparison, difference
from edge.update.trial import Trial

TIMED_RUNS = 10


@dataclass(frozen=True, slots=True)
class Passed:
    """What the self-test measured."""

    backend: str
    latency_ms: float
    peak_bytes: int
    agreement: ShadowReport


def self_test(
    package: Path, model: ModelRef, inference: InferenceSettings, limits: UpdateSettings, sights: Sequence[Sight]
) -> Passed:
    """Try a package beside the daemon.

    Args:
        package: its folder.
        model: its name.
        inference: how the daemon would run it.
        limits: what it must keep to.
        sights: recent pictures of this device's cameras, with what the model in force found in them.

    Raises:
        CandidateRejected: it does not pass; the message says which test it failed, and with which value.
    """
    with closing(Trial(package, inference, limits.memory_bytes, limits.answer_within_s)) as trial:
        backend = trial.load()
        check_golden(trial)
        latency_ms = trial.latency_ms(TIMED_RUNS)
        if latency_ms > limits.latency_ms:
            raise CandidateRejected(
                f"it is too slow: {latency_ms:.0f} ms for a picture, update.latency_ms allows {limits.latency_ms:.0f}"
            )
        agreement = _check_agreement(trial, model, limits, sights)
        if trial.peak_bytes > limits.memory_bytes:
            raise CandidateRejected(
                f"it takes too much memory: {trial.peak_bytes >> 20} MiB at its peak, update.memory_bytes allows "
                f"{limits.memory_bytes >> 20}"
            )
        return Passed(backend, latency_ms, trial.peak_bytes, agreement)


def check_golden(trial: Trial) -> int:
    """See that a package's golden frames come out as they were recorded, and prove something; how many there are.

    Raises:
        CandidateRejected: they do not.
    """
    golden = trial.golden()
    if not golden.frames:
        raise CandidateRejected("its package has no golden frames, so nothing shows that it sees what it should")
    if golden.apart:
        raise CandidateRejected(
            f"it gives other results than its package recorded for {len(golden.apart)} of {golden.frames} golden "
            f"frames: {', '.join(golden.apart)[:200]}"
        )
    if not golden.with_plants:
        raise CandidateRejected(
            f"it is blind: no plant is recorded in any of its {golden.frames} golden frames, so they prove nothing"
        )
    return golden.frames


def _check_agreement(trial: Trial, model: ModelRef, limits: UpdateSettings, sights: Sequence[Sight]) -> ShadowReport:
    comparison = Comparison(model, limits.agreement)
    for sight in sights:
        found = difference(trial.look(sight.picture), sight.finding)
        comparison.add(found, with_plants=sight.finding.sees_plants)
    if objection := comparison.objection():
        raise CandidateRejected(objection)
    return comparison.report()
