"""How many cameras that have not drifted raise an alarm in a year, and what daily KS and PSI would have said of them.

    python -m benchmarks.drift_years [--cameras 200] [--others 20] [--seed 1]

The years are of ``tests/sim/camera_years.py``: sun, weather and growth that follow upon themselves. KS (p below 0.05)
and PSI (above 0.2, ten bins) compare each day with the fourteen before it, any statistic counting; they are slow, so
they see the first ``--others`` cameras.
"""

import argparse
import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from edge.drift.reference import LEAST_CAPTURES, distribution, psi
from tests.sim.camera_years import camera_years
from tests.sim.drift_years import NEVER, first_alarms

ALPHA = 0.05
PAST_DAYS = 14
LEAST_TODAY = 5
MOST_PSI, LEAST_P = 0.2, 0.05

Values = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cameras", type=int, default=200)
    parser.add_argument("--others", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    years = camera_years(options.cameras, options.seed)
    said = [said_daily(values) for values in years.values[: options.others]]
    found = {
        "e-detector": {"cameras": options.cameras, "any": share(first_alarms(years, ALPHA) != NEVER)},
        **{
            name: {
                "cameras": len(said),
                "any": share(np.array([each[name].any() for each in said])),
                "days": share(np.concatenate([each[name] for each in said])),
            }
            for name in ("daily KS", "daily PSI")
        },
    }
    print(json.dumps({"seed": options.seed, "cameras with an alarm in a year": found}, indent=1))


def share(which: NDArray[np.bool_]) -> float:
    return round(float(which.mean()), 4)


def said_daily(values: Values) -> dict[str, NDArray[np.bool_]]:
    """On which days each test would have cried, of one camera's values [days, hours, statistics]."""
    days = [list(judged(values[day - PAST_DAYS : day], values[day])) for day in range(PAST_DAYS, len(values))]
    return {
        "daily KS": np.array([any(p < LEAST_P for p, _ in day) for day in days]),
        "daily PSI": np.array([any(index > MOST_PSI for _, index in day) for day in days]),
    }


def judged(past: Values, today: Values) -> Iterator[tuple[float, float]]:
    """The p-value and the PSI of each statistic of which there is enough."""
    for statistic in range(today.shape[-1]):
        before, now = (part[..., statistic][np.isfinite(part[..., statistic])] for part in (past, today))
        if len(before) >= LEAST_CAPTURES and len(now) >= LEAST_TODAY:
            law = distribution(before)
            bins = np.bincount(np.searchsorted(law.edges, now, side="right"), minlength=10)
            yield float(ks_2samp(before, now, method="asymp").pvalue), psi(bins.tolist(), law.shares)


if __name__ == "__main__":
    main()
