"""How fast results become durable, and how fast a night's backlog reaches the fleet while new pictures come in.

python benchmarks/outbox.py [--quick] [--folder DIR]; prints JSON. The second part needs Mosquitto and canopy-fleet.
"""

import argparse
import json
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edge.clock import read_clock, utc_now
from edge.contract.messages import Health, Info
from edge.contract.records import Observation, Outcome, TraitValue
from edge.contract.topics import OBS, subscription
from edge.contract.traits import HUE_DISTRIBUTION, TRAIT_SETS, VOCABULARY
from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.settings import MqttSettings, OutboxSettings

BATCH_RECORDS = 50
SHARES = (*(0.0,) * 8, 0.1383, 0.4546, 0.395, 0.0121, *(0.0,) * 24)
TARGET_PER_S = 3_000
LIVE_EVERY_S = 0.5
STARTS_WITHIN_S = 30.0
DRAINS_WITHIN_S = 900.0


def observation(frame: int, plot: int, camera: str) -> Observation:
    """A measured plot with a value for each trait of a plant seen from above."""
    traits = tuple(
        TraitValue(
            trait=trait.name,
            value=round(frame + index / 7, 3),
            unit=trait.unit,
            method=trait.method,
            uncertainty=round(1 + index / 7, 3) if trait.uncertainty else None,
            histogram=SHARES if trait == HUE_DISTRIBUTION else (),
        )
        for index, trait in enumerate(VOCABULARY[name] for name in TRAIT_SETS["top_view"])
    )
    return Observation(
        camera=camera, plot=f"R1C{plot + 1}", frame_id=frame, clock=read_clock(), outcome=Outcome.MEASURED,
        traits=traits, model="sha256:" + "ab" * 32,
    )  # fmt: skip


def fill(outbox: Outbox, records: int) -> float:
    """Append ``records`` in batches, each one transaction that is on the disk before the next; the slowest in s."""
    slowest_s = 0.0
    for start in range(0, records, BATCH_RECORDS):
        batch = [observation(number // 24, number % 24, "bench") for number in range(start, start + BATCH_RECORDS)]
        began_s = time.perf_counter()
        outbox.append(batch)
        slowest_s = max(slowest_s, time.perf_counter() - began_s)
    return slowest_s


def append_durably(folder: Path, records: int) -> dict[str, Any]:
    """Observations made and committed one after the other, in one thread."""
    outbox = Outbox(folder / "append.sqlite", OutboxSettings())
    began_s = time.perf_counter()
    slowest_s = fill(outbox, records)
    took_s = time.perf_counter() - began_s
    stats = outbox.stats()
    outbox.close()
    return {
        "records": records,
        "per_s": round(records / took_s),
        "target_per_s": TARGET_PER_S,
        "slowest_append_ms": round(slowest_s * 1e3, 1),
        "bytes_per_record": round(stats.bytes / records),
    }


def drain_backlog(folder: Path, records: int) -> dict[str, Any]:
    """From the first connection until the fleet's database holds all of a backlog, while live pictures come in."""
    outbox = Outbox(folder / "drain.sqlite", OutboxSettings())
    fill(outbox, records)
    with running_broker(folder) as port, running_fleet(folder, port), live_arrivals(port) as arrived_s:
        publisher = Publisher(
            outbox, MqttSettings(host="127.0.0.1", port=port), "bench", "device", info, health(outbox)
        )
        began_s = time.perf_counter()
        publisher.start()
        appended_s: list[float] = []
        while not publisher.wait_delivered(LIVE_EVERY_S) and time.perf_counter() - began_s < DRAINS_WITHIN_S:
            appended_s.append(time.perf_counter())
            outbox.append([observation(len(appended_s), plot, "live") for plot in range(24)])
        took_s = time.perf_counter() - began_s
        publisher.stop(2.0)
    delays_s = [arrived_s[frame] - appended_s[frame - 1] for frame in sorted(arrived_s)]
    at = outbox.position
    outbox.close()
    return {
        "records": at.last_seq,
        "delivered": at.watermark,
        "took_s": round(took_s, 1),
        "per_s": round(at.watermark / took_s),
        "live_frames": len(appended_s),
        "live_frames_seen": len(delays_s),
        "live_delay_median_ms": round(statistics.median(delays_s) * 1e3) if delays_s else None,
        "live_delay_max_ms": round(max(delays_s) * 1e3) if delays_s else None,
    }


def info() -> Info:
    return Info(boot_id="bench", software="bench", hardware="bench", python=platform.python_version())


def health(outbox: Outbox) -> Any:
    """What a publisher asks for every half minute."""
    return lambda: Health(
        at=utc_now(), boot_id="bench", epoch=outbox.epoch, last_seq=outbox.last_seq, watermark=outbox.watermark
    )


@contextmanager
def live_arrivals(port: int) -> Iterator[dict[int, float]]:
    """When each frame of the camera ``live`` first came out of the broker."""
    arrived_s: dict[int, float] = {}
    subscribed = threading.Event()

    def on_message(_client: Client, _data: Any, message: MQTTMessage) -> None:
        for item in json.loads(message.payload)["items"]:
            arrived_s.setdefault(item["record"]["frame_id"], time.perf_counter())

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.subscribe(subscription(OBS, "bench", "device").replace("+", "live"), 0)
    client.loop_start()
    subscribed.wait(10)
    yield arrived_s
    client.disconnect()
    client.loop_stop()


@contextmanager
def running_broker(folder: Path) -> Iterator[int]:
    """A Mosquitto on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n")
    with running([mosquitto() or "mosquitto", "-c", str(config)], folder / "mosquitto.log"):
        wait_until(lambda: listens(port))
        yield port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_fleet(folder: Path, port: int) -> Iterator[None]:
    """The fleet service with its SQLite store, as its own process."""
    config, ready = folder / "fleet.yaml", folder / "ready"
    config.write_text(f"state_dir: fleet\nmqtt: {{embedded: false, host: 127.0.0.1, port: {port}}}\n")
    command = [str(Path(sys.executable).with_name("canopy-fleet")), "serve", "--config", str(config)]
    with running([*command, "--port", "0", "--ready-file", str(ready)], folder / "fleet.log"):
        wait_until(ready.exists)
        yield


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def wait_until(condition: Any) -> None:
    deadline_s = time.monotonic() + STARTS_WITHIN_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"a service did not start within {STARTS_WITHIN_S:.0f} s")
        time.sleep(0.05)


def mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument(
        "--folder", type=Path, help="where the disk under test is mounted (default: a temporary folder)"
    )
    options = parser.parse_args()
    share = 10 if options.quick else 1
    report: dict[str, Any] = {"machine": platform.platform()}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        report["durable_append"] = append_durably(Path(folder), 50_000 // share)
        if mosquitto():
            report["drain_to_fleet"] = drain_backlog(Path(folder), 100_000 // share)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
