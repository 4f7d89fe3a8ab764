"""Whether the daemon stays as it is: memory, descriptors and the size of its database over hours at full speed.

python -m benchmarks.soak [--minutes 120] [--folder DIR]; prints JSON. `canopy run` measures the demo's rendered tray
again and again, as fast as it goes, and delivers through Mosquitto to a stand-in of the fleet that acknowledges every
number. Needs Mosquitto, and ffmpeg, which repeats the clip without encoding it anew.
"""

import argparse
import json
import math
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.outbox import running_broker
from demo.setup import CLIP
from edge.contract.messages import Ack
from edge.contract.topics import OBS, subscription
from edge.errors import StoreError
from edge.outbox import OUTBOX_FILE, stored_stats

PACKAGE = Path(__file__).parents[1] / "packages" / "rosette"
SITE, DEVICE = "soak", "device"
KEEP_DELIVERED_S = 60.0
PRUNED_WITHIN_S = 20.0
FASTEST_FPS = 120
"""So many pictures are laid ready for each second; a longer clip than needed would only swell the decoder's index."""
WARM_UP_SHARE = 0.2
GROWTH_ASKED_BYTES_PER_H = 1_000_000
SAMPLE_S = 10.0
STARTS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Sample:
    """The daemon at one moment."""

    at_s: float
    rss_bytes: int
    descriptors: int
    threads: int
    last_seq: int
    undelivered: int
    entries: int
    used_bytes: int
    file_bytes: int


def write_config(folder: Path, port: int, minutes: float) -> Path:
    """A device on the tray's clip, repeated for longer than is asked."""
    listing = folder / "repeat.txt"
    clip = folder / "tray.mp4"
    pictures = cv2.VideoCapture(CLIP["source"]["path"]).get(cv2.CAP_PROP_FRAME_COUNT)
    listing.write_text(f"file '{CLIP['source']['path']}'\n" * math.ceil(minutes * 60 * FASTEST_FPS / pictures))
    copy = ["-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy", "-y", str(clip)]
    subprocess.run(["ffmpeg", "-v", "error", *copy], check=True)
    tree = {
        "site": SITE,
        "device": DEVICE,
        "state_dir": "state",
        "inference": {"package": str(PACKAGE)},
        "cameras": [
            {"name": "tray", "source": {**CLIP["source"], "path": str(clip), "interval_s": 60}, "plots": CLIP["plots"]}
        ],
        "outbox": {"keep_delivered_s": KEEP_DELIVERED_S, "max_bytes": 1_000_000_000},
        "mqtt": {"host": "127.0.0.1", "port": port},
    }
    config = folder / "device.yaml"
    config.write_text(yaml.safe_dump(tree))
    return config


@contextmanager
def acknowledging_fleet(port: int) -> Iterator[None]:
    """A client that says of every batch that it is in the fleet's store."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="fleet")

    def acknowledge(_client: Client, _data: object, message: MQTTMessage) -> None:
        batch = json.loads(message.payload)
        ack = Ack(epoch=batch["epoch"], seq=batch["items"][-1]["seq"])
        client.publish(f"canopy/v1/{SITE}/{DEVICE}/ack", ack.model_dump_json(), qos=1, retain=True)

    client.on_message = acknowledge
    client.connect("127.0.0.1", port)
    client.subscribe(subscription(OBS), qos=1)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def look_at(pid: int, state: Path, began_s: float) -> Sample:
    stats = stored_stats(state / OUTBOX_FILE)
    process = Path(f"/proc/{pid}")
    return Sample(
        at_s=round(time.monotonic() - began_s, 1),
        rss_bytes=int((process / "statm").read_text().split()[1]) * 4096,
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        last_seq=stats.last_seq,
        undelivered=stats.undelivered,
        entries=stats.entries,
        used_bytes=stats.bytes,
        file_bytes=stats.file_bytes,
    )


def watch(process: "subprocess.Popen[str]", state: Path, minutes: float) -> Iterator[Sample]:
    began_s = time.monotonic()
    while time.monotonic() - began_s < minutes * 60:
        if process.poll() is not None:
            raise SystemExit(f"the daemon ended by itself with {process.returncode}")
        with suppress(StoreError):  # not born yet
            yield look_at(process.pid, state, began_s)
        time.sleep(min(SAMPLE_S, minutes * 6))


def growth_per_h(samples: list[Sample], field: str) -> float:
    """The slope of a straight line through the samples (least squares), per hour."""
    hours = [sample.at_s / 3600 for sample in samples]
    return float(np.polyfit(hours, [getattr(sample, field) for sample in samples], 1)[0])


def computed_bytes(samples: list[Sample], record_bytes: float) -> list[float]:
    """What the database comes to at each sample: the records of the last minute, and those that wait for the fleet.

    It is pruned every few seconds, so what is a little older may still be there.
    """
    found = []
    for sample in samples:
        since_s = sample.at_s - KEEP_DELIVERED_S - PRUNED_WITHIN_S
        before = max((each.last_seq for each in samples if each.at_s <= since_s), default=0)
        found.append((sample.last_seq - before + sample.undelivered) * record_bytes)
    return found


def judge(samples: list[Sample]) -> dict[str, Any]:
    """Growth after the warm-up, and the database against what its contents come to."""
    settled = samples[int(len(samples) * WARM_UP_SHARE) :]
    first, last = settled[0], settled[-1]
    record_bytes = statistics.median(sample.used_bytes / max(1, sample.entries) for sample in settled)
    computed = computed_bytes(samples, record_bytes)[len(samples) - len(settled) :]
    return {
        "minutes": round(last.at_s / 60, 1),
        "warm_up_minutes": round(first.at_s / 60, 1),
        "records": last.last_seq,
        "records_per_s": round((last.last_seq - first.last_seq) / max(1.0, last.at_s - first.at_s), 1),
        "rss_growth_bytes_per_h": round(growth_per_h(settled, "rss_bytes")),
        "rss_growth_asked_bytes_per_h": GROWTH_ASKED_BYTES_PER_H,
        "rss_bytes": [min(s.rss_bytes for s in settled), max(s.rss_bytes for s in settled)],
        "descriptors": {
            "first": first.descriptors,
            "most": max(s.descriptors for s in settled),
            "last": last.descriptors,
        },
        "threads": {"first": first.threads, "most": max(s.threads for s in settled), "last": last.threads},
        "undelivered_at_most": max(s.undelivered for s in settled),
        "bytes_per_record": round(record_bytes),
        "database": {
            "at_most_bytes": max(s.file_bytes for s in settled),
            "used_for_computed": round(max(s.used_bytes / c for s, c in zip(settled, computed, strict=True)), 3),
            "file_for_used": round(max(s.file_bytes / s.used_bytes for s in settled), 3),
        },
    }


def soak(folder: Path, minutes: float) -> dict[str, Any]:
    """Run it, and say how it went."""
    with running_broker(folder) as port, acknowledging_fleet(port):
        config = write_config(folder, port, minutes)
        canopy = "import sys; from edge.cli import app; sys.argv[0] = 'canopy'; app()"
        command = [sys.executable, "-c", canopy, "run", "--config", str(config), "--json", "--log-level", "warning"]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                samples = list(watch(process, folder / "state", minutes))
            finally:
                process.send_signal(signal.SIGTERM)
                output, _ = process.communicate(timeout=STARTS_WITHIN_S)
    summary = json.loads(output)
    return {
        **judge(samples),
        "pictures": summary["processed"],
        "dropped": summary["dropped"],
        "failed": summary["failed"],
        "peak_rss_bytes": summary["peak_rss_bytes"],
        "every_minute": [asdict(sample) for sample in samples[:: max(1, len(samples) // max(1, round(minutes)))]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--folder", type=Path, help="where to work; a fresh one is made in the temporary folder")
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        raise SystemExit("ffmpeg is missing; apt-get install ffmpeg")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        result = soak(Path(name), arguments.minutes)
    print(json.dumps({"machine": platform.machine(), "python": platform.python_version(), **result}, indent=2))


if __name__ == "__main__":
    main()
