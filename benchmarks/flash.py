"""What the daemon does to an SD card: bytes written for each observation, and how often it asks for the disk.

python -m benchmarks.flash [--seconds 60]; prints JSON. `canopy run` measures the demo's tray, 15 plots, at a picture a
second, with the default and with longer waits before a commit. Bytes are those of /proc/PID/io (`write_bytes`), which
the kernel counts when a page is made dirty; system calls are counted by strace where it is installed and allowed.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import yaml

from benchmarks.loop import pictures
from benchmarks.outbox import running_broker
from benchmarks.soak import SITE, acknowledging_fleet
from demo.setup import CLIP
from edge.errors import StoreError
from edge.outbox import OUTBOX_FILE, stored_stats

PACKAGE = Path(__file__).parents[1] / "packages" / "rosette"
DEVICE = "device"
WAITS_S = (1.0, 10.0, 60.0)
"""``outbox.commit_after_s``."""
SETTLE_S = 8.0
SYNCS = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(fsync|fdatasync)$", re.MULTILINE)


def measure(folder: Path, commit_after_s: float, seconds: float) -> dict[str, Any]:
    """One daemon, from its first observations on."""
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    with running_broker(folder) as port, acknowledging_fleet(port):
        config = write_config(folder, commit_after_s, port)
        canopy = "import sys; from edge.cli import app; sys.argv[0] = 'canopy'; app()"
        command = [sys.executable, "-c", canopy, "run", "--config", str(config), "--log-level", "error"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for_records(state)
            time.sleep(SETTLE_S)
            before, at = written_bytes(process.pid), stored_stats(state / OUTBOX_FILE)
            syncs = count_syncs(process.pid, seconds)
            after, last = written_bytes(process.pid), stored_stats(state / OUTBOX_FILE)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    records = last.last_seq - at.last_seq
    written = (after - before) / max(1, records)
    return {
        "commit_after_s": commit_after_s,
        "records": records,
        "stored_bytes_per_record": round((last.bytes) / max(1, last.entries)),
        "written_bytes_per_record": round(written),
        "written_for_stored": round(written / (last.bytes / max(1, last.entries)), 2),
        "syncs_per_hour": None if syncs is None else round(syncs / seconds * 3600),
    }


def count_syncs(pid: int, seconds: float) -> int | None:
    """Calls of fsync and fdatasync in so many seconds; None without strace."""
    strace = shutil.which("strace")
    if strace is None:
        time.sleep(seconds)
        return None
    counting = subprocess.Popen(
        [strace, "-f", "-c", "-e", "trace=fsync,fdatasync", "-p", str(pid)], stderr=subprocess.PIPE, text=True
    )
    time.sleep(seconds)
    counting.send_signal(signal.SIGINT)
    _, told = counting.communicate(timeout=30)
    if "not permitted" in told:
        return None
    return sum(int(count) for count, _ in SYNCS.findall(told))


def write_config(folder: Path, commit_after_s: float, port: int) -> Path:
    source = folder / "pictures"
    if not source.exists():
        source.mkdir()
        lit = list(pictures(6))
        for number in range(400):
            cv2.imwrite(str(source / f"{number:04d}.jpg"), lit[number % len(lit)])
    camera = {"name": "top", "source": {"kind": "folder", "path": "pictures"}, "plots": CLIP["plots"], "max_fps": 1}
    tree = {
        "site": SITE,
        "device": DEVICE,
        "state_dir": "state",
        "inference": {"package": str(PACKAGE)},
        "cameras": [camera],
        "outbox": {"commit_after_s": commit_after_s, "commit_records": 1000},
        "storage": {"run_dir": "/dev/shm/canopy-flash"},
        "mqtt": {"host": "127.0.0.1", "port": port},
    }
    config = folder / "device.yaml"
    config.write_text(yaml.safe_dump(tree))
    return config


def written_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def wait_for_records(state: Path) -> None:
    give_up_at_s = time.monotonic() + 90
    while time.monotonic() < give_up_at_s:
        try:
            if stored_stats(state / OUTBOX_FILE).last_seq > 1:
                return
        except StoreError:
            pass
        time.sleep(0.1)
    raise SystemExit("the daemon stored nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        found = [measure(Path(name), wait_s, max(seconds, 2 * wait_s)) for wait_s in WAITS_S]
    cores = len(os.sched_getaffinity(0))
    print(json.dumps({"machine": platform.machine(), "cores": cores, "waits": found}, indent=2))


if __name__ == "__main__":
    main()
