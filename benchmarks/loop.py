"""What a step costs besides the network, and what the daemon takes: memory, start, stop.

python benchmarks/loop.py [--quick]; prints JSON. Pictures are those of the demo's clip, enlarged to 1920x1080; one
thread. Parts are timed in turn on the same picture, so that other work on the machine falls on all of them alike.
"""

import argparse
import json
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from demo.setup import CLIP
from edge.clock import monotonic_s, utc_now
from edge.errors import StoreError
from edge.frame import Frame
from edge.model import Model
from edge.observe import Observer
from edge.outbox import OUTBOX_FILE, Outbox
from edge.plots import Plots
from edge.preprocess import fit
from edge.quality import QualityGate
from edge.segmentation import decode
from edge.settings import CameraSettings, InferenceSettings, OutboxSettings
from edge.stored import stored_records
from edge.traits import measure

WIDTH_PX, HEIGHT_PX = 1920, 1080
PACKAGE = Path(__file__).parents[1] / "packages" / "rosette"
COMMIT_PICTURES = 10
SHARE_ASKED, PEAK_ASKED_BYTES, START_ASKED_S, STOP_ASKED_S = 0.35, 160_000_000, 2.0, 2.0
WAITS_S = 30.0

T = TypeVar("T")


class Stopwatch:
    """Milliseconds of each part, one entry for each picture."""

    def __init__(self) -> None:
        self.parts_ms: dict[str, list[float]] = defaultdict(list)

    def time(self, part: str, task: Callable[[], T]) -> T:
        """Do ``task`` and note how long it took."""
        started_s = time.perf_counter()
        result = task()
        self.parts_ms[part].append((time.perf_counter() - started_s) * 1e3)
        return result

    def medians_ms(self) -> dict[str, float]:
        """The median of each part."""
        return {part: round(statistics.median(times), 3) for part, times in self.parts_ms.items()}


def pictures(every: int) -> Iterator[NDArray[np.uint8]]:
    """Lit pictures of the clip, uint8 [1080, 1920, 3]."""
    video = cv2.VideoCapture(str(CLIP["source"]["path"]))
    index = 0
    while True:
        found, pixels = video.read()
        if not found:
            return
        if index % every == 0 and index % 8 != 1:
            yield np.asarray(cv2.resize(pixels, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC), np.uint8)
        index += 1


def time_step(plots: dict[str, Any] | None, folder: Path, every: int) -> dict[str, Any]:
    """Median time of each part of the step, and the share of all but the network."""
    camera = CameraSettings.model_validate({**CLIP, "plots": plots})
    model = Model(InferenceSettings(package=PACKAGE))
    loaded, watch = model.use(), Stopwatch()
    manifest, backend = loaded.manifest, loaded.backend
    gate, places = QualityGate(camera.quality, live=False), Plots(camera.plots)
    observer, outbox = Observer(camera, model, live=False), Outbox(folder / f"{bool(plots)}.sqlite", OutboxSettings())
    waiting: list[Any] = []
    commits = 0
    for number, pixels in enumerate(pictures(every)):
        frame = Frame(pixels, number, camera.name, utc_now(), monotonic_s())
        image, placement = watch.time("fit", lambda: fit(pixels, manifest.input.height_px, manifest.input.width_px))  # noqa: B023
        watch.time("quality", lambda: gate.judge(image, placement))  # noqa: B023
        inference = watch.time("network", lambda: backend.infer(image))  # noqa: B023
        segmentation = watch.time("decode", lambda: decode(inference, manifest, placement))  # noqa: B023
        watch.time("traits", lambda: measure(image, segmentation, places.on(placement), manifest))  # noqa: B023
        waiting += watch.time("whole", lambda: observer.observe(frame))  # noqa: B023
        if (number + 1) % COMMIT_PICTURES == 0:
            watch.time("commit", lambda: outbox.append(waiting))  # noqa: B023
            waiting, commits = [], commits + 1
    outbox.close()
    parts = watch.medians_ms()
    parts["commit"] = round(parts["commit"] / COMMIT_PICTURES, 3)
    step_ms = parts["whole"] + parts["commit"]
    share = 1 - parts["network"] / step_ms
    return {
        "plots": "3 x 5" if plots else "whole picture",
        "pictures": len(watch.parts_ms["whole"]),
        "parts_ms": {part: parts[part] for part in ("fit", "quality", "network", "decode", "traits", "commit")},
        "step_ms": round(step_ms, 2),
        "share_without_network": round(share, 3),
        "share_asked": SHARE_ASKED,
    }


def run_daemons(folder: Path, runs: int) -> dict[str, Any]:
    """Start to first observation, stop, and memory of ``canopy run`` over pictures that a camera gives without end."""
    starts_s, stops_s, peaks, growth = [], [], [], []
    config = write_config(folder)
    for _ in range(runs):
        database = folder / "state" / OUTBOX_FILE
        for file in database.parent.glob(f"{OUTBOX_FILE}*"):
            file.unlink()
        command = [
            str(Path(sys.executable).with_name("canopy")),
            "run",
            "--config",
            str(config),
            "--log-level",
            "error",
        ]
        started_s = time.perf_counter()
        process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: observations(folder / "state") > 0)
        starts_s.append(time.perf_counter() - started_s)
        time.sleep(3)
        early = rss_bytes(process.pid)
        time.sleep(5)
        growth.append(rss_bytes(process.pid) - early)
        asked_s = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=WAITS_S)
        stops_s.append(time.perf_counter() - asked_s)
        peaks.append(json.loads(output)["peak_rss_bytes"])
    return {
        "runs": runs,
        "start_to_first_observation_s": spread(starts_s, START_ASKED_S),
        "sigterm_to_exit_s": spread(stops_s, STOP_ASKED_S),
        "peak_rss_bytes": spread(peaks, PEAK_ASKED_BYTES),
        "rss_growth_over_5_s_bytes": int(statistics.median(growth)),
    }


def write_config(folder: Path) -> Path:
    """A device that reads JPEGs of 1920x1080, some a second, with no broker in reach: it keeps trying."""
    source = folder / "pictures"
    source.mkdir()
    for number, pixels in enumerate(pictures(2)):
        cv2.imwrite(str(source / f"{number:04d}.jpg"), pixels)
    tree = {
        "site": "bench",
        "device": "device",
        "state_dir": "state",
        "inference": {"package": str(PACKAGE)},
        "cameras": [
            {"name": "top", "source": {"kind": "folder", "path": "pictures"}, "plots": CLIP["plots"], "max_fps": 5}
        ],
        "mqtt": {"host": "127.0.0.1", "port": 9},
    }
    config = folder / "device.yaml"
    config.write_text(yaml.safe_dump(tree))
    return config


def observations(state: Path) -> int:
    try:
        with stored_records(state) as records:
            return records.stats().last_seq - 1  # the first record tells that it has started
    except StoreError:  # not born yet
        return 0


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def spread(values: list[float], asked: float) -> dict[str, float]:
    return {"median": round(statistics.median(values), 2), "max": round(max(values), 2), "asked": asked}


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + WAITS_S
    while not condition():
        if time.monotonic() > give_up_at_s:
            raise SystemExit(f"the daemon did not get there within {WAITS_S:.0f} s")
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every sixth picture, two starts")
    quick = parser.parse_args().quick
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "picture_px": [WIDTH_PX, HEIGHT_PX],
            "step": [time_step(plots, folder, 6 if quick else 1) for plots in (None, CLIP["plots"])],
            "daemon": run_daemons(folder, 2 if quick else 7),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
