"""Whether a candidate may take a champion's place: pure, from what was measured and what was asked."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.contract.comparison import (
    BENCHMARK,
    COUNT_ERROR,
    DRIFTED,
    OVERLAP,
    Comparison,
    Slice,
    of_site,
    shown_metrics,
)
from fleet.retrain.settings import GateSettings

MISSING = math.nan


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked of a candidate, and whether it holds. ``says`` is a sentence without an end."""

    slice: str
    ok: bool
    says: str


def judge(comparison: Comparison, sites: Iterable[str], asked: GateSettings) -> list[Finding]:
    """Everything that was asked; the gate opens if all of it holds.

    Args:
        comparison: what was measured.
        sites: those whose own pictures must be among it.
        asked: how much worse and how much better.
    """
    least = {BENCHMARK: asked.benchmark_pictures, DRIFTED: asked.drifted_pictures}
    least |= {of_site(site): asked.site_pictures for site in sorted(set(sites))}
    findings: list[Finding] = []
    for name, pictures in least.items():
        part = comparison.slice(name)
        if part is None or part.pictures < pictures:
            shown = part.pictures if part else 0
            findings.append(Finding(name, ok=False, says=f"{shown} pictures, and {pictures} are asked"))
            continue
        findings += _no_worse(part, asked)
        if name == BENCHMARK and asked.benchmark not in {None, part.data}:
            findings.append(Finding(name, ok=False, says=f"other pictures than {asked.benchmark}, which never change"))
        if name == DRIFTED:
            findings.append(_better(part, asked))
    return findings


def passes(findings: Iterable[Finding]) -> bool:
    """Whether all of it holds; nothing asked is nothing shown."""
    held = [finding.ok for finding in findings]
    return bool(held) and all(held)


def _no_worse(part: Slice, asked: GateSettings) -> Iterator[Finding]:
    metrics = shown_metrics(part)
    if not metrics:
        yield Finding(part.name, ok=False, says="nothing could be measured: no picture shows a plant that was labelled")
    for metric in metrics:
        ours, theirs = part.champion[metric], part.candidate.get(metric, MISSING)
        named = f"{_words(metric)} {theirs:.3f} after {ours:.3f}"
        if metric == OVERLAP:
            least = ours - asked.overlap_loss
            yield Finding(part.name, theirs >= least, f"{named}, at least {least:.3f}")
        else:
            most = ours + max(asked.count_loss, asked.count_loss_share * ours)
            yield Finding(part.name, theirs <= most, f"{named}, at most {most:.3f}")


def _better(part: Slice, asked: GateSettings) -> Finding:
    gains = {
        metric: 1 - part.candidate.get(metric, MISSING) / part.champion[metric]
        for metric in shown_metrics(part)
        if metric.endswith(COUNT_ERROR) and part.champion[metric] > 0
    }
    rise = part.candidate.get(OVERLAP, MISSING) - part.champion.get(OVERLAP, MISSING)
    most = max((gain for gain in gains.values() if math.isfinite(gain)), default=0.0)
    ok = most >= asked.count_gain_share or rise >= asked.overlap_gain
    says = f"a count's error is {most:.0%} less and mean IoU {rise:+.3f}"
    return Finding(part.name, ok, f"{says}; {asked.count_gain_share:.0%} or {asked.overlap_gain:+g} are asked")


def _words(metric: str) -> str:
    return "mean IoU" if metric == OVERLAP else f"error of the {metric.removesuffix(COUNT_ERROR)} count"
