"""The two configuration files of the demo."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml

SITE, DEVICE = "demo", "camera-1"
HERE = Path(__file__).resolve().parent
CLIP: dict[str, Any] = {
    "name": "tray",
    "source": {
        "kind": "video",
        "path": str(HERE / "tray.mp4"),
        "interval_s": 10_800,
    },
    "max_fps": 6,
    "plots": {
        "kind": "grid",
        "rows": 3,
        "columns": 5,
        "top_left": [0.0546875, 0.025],
        "bottom_right": [0.9453125, 0.975],
    },
}


def write_fleet_config(state: Path) -> Path:
    """A fleet service with its embedded broker on free ports of this machine."""
    return _write(
        state / "fleet.yaml",
        {
            "state_dir": str(state / "fleet"),
            "mqtt": {"embedded": True, "host": "127.0.0.1", "port": 0},
            "http": {"host": "127.0.0.1", "port": 0},
            "pictures": {"every_s": 5},
        },
    )


def write_device_config(state: Path, source: str | None, mqtt_port: int) -> Path:
    """A device on the bundled clip, or on ``source``: then the whole picture is one plot, for we know of none."""
    camera = _clip_until_today() if source is None else {"name": "camera", "source": parse_source(source)}
    return _write(
        state / "device.yaml",
        {
            "site": SITE,
            "device": DEVICE,
            "state_dir": str(state / "device"),
            "inference": {"package": str(HERE.parent / "packages" / "rosette")},
            "cameras": [camera],
            "mqtt": {"host": "127.0.0.1", "port": mqtt_port, "protocol": "3.1.1"},
        },
    )


def has_end(source: str | None) -> bool:
    """Whether the clip, or ``source``, ends by itself."""
    return source is None or parse_source(source)["kind"] in {"folder", "video"}


def parse_source(text: str) -> dict[str, Any]:
    """Read what a person means by a source: an RTSP URL, a camera's index or device, a folder, or else a video."""
    if text.startswith(("rtsp://", "rtsps://")):
        return {"kind": "rtsp", "url": text}
    if text.isdigit():
        return {"kind": "v4l2", "device": int(text)}
    if text.startswith("/dev/"):
        return {"kind": "v4l2", "device": text}
    path = Path(text).expanduser().resolve()
    return {"kind": "folder" if path.is_dir() else "video", "path": str(path)}


def _clip_until_today() -> dict[str, Any]:
    """The clip as if its 15 days had ended last midnight."""
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return {**CLIP, "source": {**CLIP["source"], "started_at": (today - timedelta(days=15)).isoformat()}}


def _write(path: Path, tree: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return path
