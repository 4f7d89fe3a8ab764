"""What one look of the service at a rollout costs, by the size of the fleet.

Run: ``python -m benchmarks.looks``. Half of the devices are told, none has answered; the store is SQLite.
"""

import json
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from statistics import median

from fleet.ingest.intake import Letter
from fleet.registry import register
from fleet.rollouts import commands, views
from fleet.rollouts.conductor import carry_on, changes_something
from fleet.rollouts.plan import Plan, Wave
from fleet.store import Store
from tests.sim.rollout_records import NEW, OLD, said

SIZES, TIMES = (200, 1_000, 10_000), 5


def main() -> None:
    """Print seconds for each size as JSON."""
    found = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(f"sqlite:///{folder}/fleet.sqlite")
            found[size] = measured(store, size)
            store.close()
    print(json.dumps({"seconds_p50_by_devices": found}, indent=2))


def measured(store: Store, size: int) -> dict[str, float]:
    """The look that tells half of the devices, a look that changes nothing, and what the page asks."""
    store.commit([Letter("site", f"dev-{n:05}", said(active=OLD.ref, hardware=f"kind-{n % 3}")) for n in range(size)])
    with store.writing() as connection:
        register(connection, NEW, "benchmark")
        commands.create(connection, [NEW.ref], Plan(waves=(Wave(percent=50), Wave())), "benchmark", "r")

    def look() -> None:
        with store.writing() as connection:
            carry_on(connection, "r", datetime.now(timezone.utc))

    def idle() -> None:
        with store.reading() as connection:
            changes_something(connection, "r", datetime.now(timezone.utc))

    def view() -> None:
        with store.reading() as connection:
            views.rollout(connection, "r")

    return {
        "that_tells_half": timed(look),
        "that_changes_nothing": median(timed(idle) for _ in range(TIMES)),
        "view": median(timed(view) for _ in range(TIMES)),
    }


def timed(work: Callable[[], None]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    work()
    return round(time.perf_counter() - begun, 3)


if __name__ == "__main__":
    main()
