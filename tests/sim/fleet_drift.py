"""Drift windows as devices send them, short to write."""

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from edge.contract.drift import DriftEntry, DriftWindow, merged
from edge.contract.message import Digest
from edge.contract.messages import DriftBatch
from edge.contract.records import Clock
from edge.drift.reference import digest_of, distributions, sums_of
from tests.sim.fleet_records import EPOCH

NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
MODEL: Digest = f"sha256:{7:064}"
OTHER_MODEL: Digest = f"sha256:{8:064}"
REFERENCE = distributions([{"mean_grey": float(value), "sharpness": value / 40} for value in range(40)])


def window(
    day: int,
    *,
    camera: str = "cam",
    value: float = 3.0,
    evidence: float | dict[str, float] = 0.0,
    reference: Digest | None = None,
    model: Digest = MODEL,
    captures: int = 1,
    noon: datetime = NOON,
    **changes: Any,
) -> DriftWindow:
    """Of captures that have ``value`` as their grey and a fortieth of it as their sharpness."""
    at = Clock(at=noon + timedelta(days=day), monotonic_s=1.0, boot_id="boot", clock_ok=True)
    one = sums_of({"mean_grey": value, "sharpness": value / 40}, np.zeros(64), REFERENCE)
    known = {
        "camera": camera, "model": model, "reference": reference or digest_of(REFERENCE), "band": "day", "since": at,
        "until": at, "sums": merged([one] * captures),
        "evidence": evidence if isinstance(evidence, dict) else {"mean_grey": evidence},
    }  # fmt: skip
    return DriftWindow(**(known | changes))


def drift(*windows: DriftWindow, first: int = 1, epoch: str = EPOCH) -> DriftBatch:
    """Windows as one message, numbered from ``first`` on."""
    entries = [DriftEntry(seq=first + index, record=each) for index, each in enumerate(windows)]
    return DriftBatch(epoch=epoch, items=tuple(entries))
