"""How often the correlated stop halts a rollout in which nothing correlates, and how soon it finds what does.

Run: ``python -m benchmarks.false_halts``. Devices end one after the other in random order, and the test looks after
each, as the service does.
"""

import json
import random
from statistics import median

from fleet.rollouts.correlation import Outcome, find_suspicion
from fleet.rollouts.plan import Correlation

DEVICES, ROLLOUTS = 200, 400
RULE = Correlation()
KINDS = {
    "hardware": {"cpu": 0.4, "orin": 0.3, "x86": 0.3},
    "camera": {"rtsp": 0.5, "csi": 0.3, "v4l2": 0.2},
    "crop": {"tomato": 0.4, "basil": 0.3, "lettuce": 0.2, "pepper": 0.1},
}


def rollout(rng: random.Random, rate: float, culprit: str | None = None, culprit_rate: float = 0.0) -> int | None:
    """How many devices had failed when it stopped; None if it never did."""
    ended: list[Outcome] = []
    for _ in range(DEVICES):
        groups = frozenset(f"{kind}={rng.choices(list(of), list(of.values()))[0]}" for kind, of in KINDS.items())
        failed = rng.random() < (culprit_rate if culprit in groups else rate)
        ended.append(Outcome(groups, failed))
        if failed and find_suspicion(ended, alpha=RULE.alpha, min_failures=RULE.min_failures):
            return sum(outcome.failed for outcome in ended)
    return None


def main() -> None:
    """Print both tables as JSON."""
    rng = random.Random(1)
    false_halts = {
        f"{rate:.1%}": sum(rollout(rng, rate) is not None for _ in range(ROLLOUTS)) / ROLLOUTS
        for rate in (0.005, 0.01, 0.02, 0.05, 0.1)
    }
    found = {}
    for culprit_rate in (0.2, 0.5, 1.0):
        stops = [rollout(rng, 0.01, "hardware=orin", culprit_rate) for _ in range(ROLLOUTS)]
        caught = [stop for stop in stops if stop is not None]
        found[f"{culprit_rate:.0%}"] = {"found": len(caught) / ROLLOUTS, "failed_until_then_p50": median(caught)}
    print(json.dumps({"devices": DEVICES, "false_halts_by_failure_rate": false_halts, "orin_fails": found}, indent=2))


if __name__ == "__main__":
    main()
