"""What several cameras cost one device: memory, processor time, and whether each gets its share.

``python -m benchmarks.cameras`` runs the daemon with the rosette package on 1, 2 and 4 network cameras (1280 x 720 px,
H.264, 10 pictures a second) at 1 measured picture a second each, and by each decoder that is here. Needs ffmpeg.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from edge.sources.taps import has_gstreamer
from tests.sim.encoded import video_stream
from tests.sim.rtsp import RtspCamera

ROOT = Path(__file__).parents[1]
RUN_S = 20.0
SETTLE_S = 8.0
LEAVE_S = 15.0


def configuration(folder: Path, servers: list[RtspCamera], decoder: str) -> Path:
    cameras = [
        {
            "name": f"camera-{number}",
            "source": {"kind": "rtsp", "url": server.url, "decoder": decoder},
            "max_fps": 1,
            "quality": {"frozen_after": 1000},
        }
        for number, server in enumerate(servers)
    ]
    tree = {
        "site": "bench",
        "device": "bench",
        "state_dir": str(folder / "state"),
        "inference": {"package": str(ROOT / "packages" / "rosette")},
        "cameras": cameras,
        "mqtt": None,
    }
    path = folder / "device.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(count: int, decoder: str) -> None:
    stream = video_stream("h264", frames=30, key_every=10, width_px=1280, height_px=720)._replace(frame_s=0.1)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [stack.enter_context(RtspCamera(stream=stream)) for _ in range(count)]
        config = configuration(folder, servers, decoder)
        daemon = subprocess.Popen(
            [sys.executable, "-c", "from edge.cli import app; app()", "run", "--config", str(config)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            time.sleep(SETTLE_S)
            before_s = cpu_s(daemon.pid)
            time.sleep(RUN_S)
            used_s = cpu_s(daemon.pid) - before_s
            status = json.loads((folder / "state" / "status.json").read_text(encoding="utf-8"))
        finally:
            daemon.terminate()
            daemon.wait(LEAVE_S)
    processed = [tally["processed"] for tally in status["health"]["frames"].values()]
    peak_mb = status["peak_rss_bytes"] / 1e6
    rss_mb = status["health"]["rss_bytes"] / 1e6
    share = 100 * used_s / RUN_S
    print(f"{decoder:10} {count}  {rss_mb:6.0f} MB  {peak_mb:6.0f} MB  {share:5.1f} %  processed {processed}")


def main() -> None:
    print("decoder  cameras    RSS       peak     of one core")
    for decoder in ("ffmpeg", *(("gstreamer",) if has_gstreamer() else ())):
        for count in (1, 2, 4):
            measure(count, decoder)
    print(f"this process, which plays the cameras: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
