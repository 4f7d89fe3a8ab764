"""How long the camera loop stands still while a model is tested beside it, and when it is switched to.

``python -m benchmarks.switch [--fps N]``: ``canopy run`` with the package ``rosette`` on pictures of 1920x1080, an
update to the same weights under a higher version from a folder, as ``canopy update import`` does it. From the records
on the device's disk: the time between two pictures that were measured one after the other, in each phase.
"""

import argparse
import json
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import yaml

from benchmarks.loop import PACKAGE, pictures
from edge.contract.manifest import MANIFEST_FILE
from edge.stored import Selection, stored_records
from tests.sim.fleet_repository import HARDWARE
from tests.sim.releases import Releases

VERSION = "99.0.0"
STOP_ASKED_S = 1.0
WAITS_S = 300.0
IDLE_S = 10.0
PICTURES = 3_000
UPDATE = {
    "hardware": HARDWARE,
    "recent_every_s": 0.5,
    "shadow_pictures": 20,
    "shadow_s": 10,
    "probation_s": 10,
    "reserve_bytes": 0,
}


def write_device(folder: Path, fps: float) -> Path:
    """A device with a folder of pictures, linked over and over, and an update in a repository beside it."""
    source = folder / "pictures"
    source.mkdir()
    drawn = []
    for number, pixels in enumerate(pictures(6)):
        drawn.append(folder / f"{number}.jpg")
        cv2.imwrite(str(drawn[-1]), pixels)
    for number in range(PICTURES):
        (source / f"{number:05d}.jpg").hardlink_to(drawn[number % len(drawn)])
    newer = folder / "newer"
    shutil.copytree(PACKAGE, newer)
    manifest = json.loads((newer / MANIFEST_FILE).read_text())
    (newer / MANIFEST_FILE).write_text(json.dumps({**manifest, "version": VERSION}))
    releases = Releases(folder)
    releases.publish(newer)
    tree = {
        "site": "bench",
        "device": "device",
        "state_dir": "state",
        "inference": {"package": str(PACKAGE)},
        "cameras": [{"name": "top", "source": {"kind": "folder", "path": "pictures"}, "max_fps": fps}],
        "outbox": {"commit_after_s": 0.5},
        "mqtt": None,
        "update": {**UPDATE, "root": str(releases.root)},
    }
    config = folder / "device.yaml"
    config.write_text(yaml.safe_dump(tree))
    return config


def records(state: Path, *, events: bool) -> list[dict[str, Any]]:
    with stored_records(state) as stored:
        chosen = Selection(events_only=events, observations_only=not events)
        return [record.content for record in stored.all(chosen)]


def moments(state: Path) -> dict[str, float]:
    """When each kind of event happened first."""
    found: dict[str, float] = {}
    for event in records(state, events=True):
        found.setdefault(event["kind"], event["clock"]["monotonic_s"])
    return found


def gaps_ms(at_s: list[float], first_s: float, last_s: float) -> dict[str, float]:
    gaps = [(later - earlier) * 1e3 for earlier, later in pairwise(at_s) if later > first_s and earlier < last_s]
    return {"pictures": len(gaps), "median_ms": round(statistics.median(gaps), 1), "longest_ms": round(max(gaps), 1)}


def run(folder: Path, fps: float) -> dict[str, Any]:
    """One daemon, one update, and the gaps between its pictures in each phase."""
    config, state = write_device(folder, fps), folder / "state"
    canopy = [sys.executable, "-c", "from edge.cli import app; app()"]
    daemon = subprocess.Popen([*canopy, "run", "--config", str(config), "--json"], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(IDLE_S)
        subprocess.run([*canopy, "update", "import", str(folder / "updates" / "public"), "-c", str(config)], check=True)
        give_up_at_s = time.monotonic() + WAITS_S
        while "model_confirmed" not in moments(state):
            if time.monotonic() > give_up_at_s or "model_refused" in moments(state):
                raise SystemExit(f"the update was not confirmed: {records(state, events=True)[-1]}")
            time.sleep(1)
    finally:
        daemon.send_signal(signal.SIGTERM)
        summary = json.loads(daemon.communicate(timeout=30)[0])
    at_s = [record["clock"]["monotonic_s"] for record in records(state, events=False)]
    when = moments(state)
    switched_s = when["model_activated"]
    return {
        "without an update": gaps_ms(at_s, at_s[0], when["model_staged"] - 3),
        "fetched": gaps_ms(at_s, when["model_staged"] - 3, when["model_staged"]),
        "tested and in the shadow": gaps_ms(at_s, when["model_staged"], switched_s - 2),
        "switched, two seconds before and after": gaps_ms(at_s, switched_s - 2, switched_s + 2),
        "on probation": gaps_ms(at_s, switched_s + 2, when["model_confirmed"]),
        "longest_stop_asked_ms": STOP_ASKED_S * 1e3,
        "dropped": summary["dropped"],
        "peak_rss_bytes": summary["peak_rss_bytes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fps", type=float, default=10.0, help="pictures a second")
    fps = parser.parse_args().fps
    with tempfile.TemporaryDirectory() as name:
        result = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "fps": fps,
            **run(Path(name), fps),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
