"""How soon each page stands there: ``python -m benchmarks.pages URL [DEVICE [PLOT]]``, on a service that runs.

A new browser context for each load, so nothing is cached; first paint and the end of loading as the browser has them.
"""

import json
import sys
from statistics import median
from typing import Any

from tests.sim.browser import chromium

LOADS = 10
_TIMES = """() => {
  const load = performance.getEntriesByType('navigation')[0];
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  return [load.responseEnd, paint ? paint.startTime : NaN, load.loadEventEnd];
}"""


def measure(browser: Any, address: str) -> dict[str, float]:
    """Medians in milliseconds since the navigation began."""
    found: list[list[float]] = []
    for _ in range(LOADS):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(address, wait_until="load")
        page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
        found.append(page.evaluate(_TIMES))
        context.close()
    names = ("answered_ms", "first_contentful_paint_ms", "loaded_ms")
    return {name: round(median(column)) for name, column in zip(names, zip(*found, strict=True), strict=True)}


if __name__ == "__main__":
    base, *paths = sys.argv[1:]
    with chromium() as opened:
        for path in ("/", "/rollouts", *paths):
            print(json.dumps({"page": path, **measure(opened, base.rstrip("/") + path)}))
