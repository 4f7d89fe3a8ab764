"""Who takes part: devices as their daemons, the fleet service, and a static host for the updates; each a process."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from benchmarks.closed_loop.greenhouse import TRAY
from edge.stored import Selection, stored_records
from fleet.ca.folder import CaFolder
from tests.sim.fleet_repository import HARDWARE
from tests.sim.spine import Command

SITE, CAMERA = "north", "top"
STARTS_WITHIN_S, ENDS_WITHIN_S = 60.0, 600.0
FRAME_BYTES = 250_000
HARVEST = {"day_bytes": 1_800_000, "random_share": 0.4, "frame_bytes": FRAME_BYTES, "keep_days": 400}
UPDATE = {
    "hardware": HARDWARE, "recent_pictures": 4, "recent_every_s": 0.5, "shadow_pictures": 8, "shadow_s": 2,
    "probation_s": 3, "retry_after_s": 2, "reserve_bytes": 0, "memory_bytes": 2**31,
}  # fmt: skip


def wait_for(condition: Callable[[], bool], what: str, log: Callable[[], str], within_s: float = ENDS_WITHIN_S) -> None:
    """Wait, and not for ever.

    Raises:
        TimeoutError: it does not come.
    """
    give_up_at_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up_at_s:
            raise TimeoutError(f"{what} does not come:\n{log()}")
        time.sleep(0.2)


class Fleet:
    """``canopy-fleet serve`` over TLS with its own authority and its embedded broker, and the operator's commands."""

    def __init__(self, folder: Path, repository: Path, retrain: dict[str, Any]) -> None:
        self.config, self._ready, self._tree = folder / "fleet.yaml", folder / "ready.json", {}
        folder.mkdir(parents=True)
        server = CaFolder(folder / "state" / "ca").path / "server"
        tls = {"certificate": f"{server}/localhost.pem", "key": f"{server}/localhost.key"}
        tree = {
            "state_dir": "state", "mqtt": {"port": 0}, "http": {"port": 0, "tls": tls},
            "updates": {"repository": str(repository)}, "rollouts": {"tick_s": 0.2, "settle_s": 1}, "retrain": retrain,
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(tree))
        self.run("ca", "init")
        self.run("ca", "server", "localhost")
        self._service = Command(folder, "fleet", "serve", "--config", self.config, "--ready-file", self._ready)

    def start(self) -> None:
        """Begin to serve."""
        self._service.start()
        wait_for(self._ready.exists, "the service", lambda: self._service.log, STARTS_WITHIN_S)

    def close(self) -> None:
        """End it."""
        self._service.close()

    def port(self, of: str) -> int:
        """``http`` or ``mqtt``."""
        return int(json.loads(self._ready.read_text())[f"{of}_port"])

    def run(self, *words: object) -> str:
        """A command of the operator; what it printed."""
        return run("fleet", *words, "--config", self.config)

    def ask(self, *words: object) -> Any:
        """A command's JSON."""
        return json.loads(self.run(*words, "--json"))


class Device:
    """``canopy run`` in the greenhouse: one camera over a tray of six pots."""

    def __init__(self, folder: Path, name: str, fleet: Fleet, package: Path, update: dict[str, Any]) -> None:
        self.name, self.folder, self._fleet = name, folder, fleet
        self._package, self._update = package, update
        self._config = folder / "device.yaml"
        self._daemon: Command | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def enrol(self, pictures: Path) -> None:
        """Get a certificate, which is what a frame is signed with."""
        self._configure(pictures)
        token = self._fleet.ask("device", "enroll-token", f"{SITE}/{self.name}")["token"]
        url = f"https://localhost:{self._fleet.port('http')}"
        run("edge", "enroll", "--fleet", url, "--token", token, "--config", self._config)

    def measure(self, pictures: Path) -> None:
        """Read a folder to its end, and deliver everything."""
        self._configure(pictures)
        run("edge", "run", "--config", self._config, "--until-end", "--log-level", "warning")

    def start(self, pictures: Path, max_fps: float) -> None:
        """Run on a folder at a camera's pace."""
        self._configure(pictures, max_fps=max_fps)
        self._daemon = Command(self.folder, "edge", "run", "--config", self._config, "--log-level", "warning")
        self._daemon.start()

    def stop(self) -> None:
        """End the daemon as systemd does."""
        if self._daemon:
            self._daemon.stop()

    def close(self) -> None:
        """End whatever runs."""
        if self._daemon:
            self._daemon.close()

    def send_frames(self) -> None:
        """Bring home what was kept."""
        run("edge", "harvest", "upload", "--config", self._config)

    def records(self, *, events: bool = False) -> list[dict[str, Any]]:
        """What stands in its outbox."""
        with stored_records(self.folder / "state") as stored:
            chosen = Selection(events_only=events, observations_only=not events)
            return [record.content for record in stored.all(chosen)]

    @property
    def log(self) -> str:
        """What the daemon has said."""
        return self._daemon.log if self._daemon else ""

    def _configure(self, pictures: Path, **camera: Any) -> None:
        (left, top), (right, bottom) = TRAY.corners
        plots = {
            "kind": "grid", "rows": TRAY.rows, "columns": TRAY.columns, "top_left": [left, top],
            "bottom_right": [right, bottom],
        }  # fmt: skip
        source = {"kind": "folder", "path": str(pictures)}
        tree = {
            "site": SITE, "device": self.name, "state_dir": "state", "inference": {"package": str(self._package)},
            "cameras": [{"name": CAMERA, "source": source, "plots": plots, "harvest": HARVEST, **camera}],
            "outbox": {"commit_after_s": 0.2, "keep_delivered_s": 10**8},
            "mqtt": {"host": "127.0.0.1", "port": self._fleet.port("mqtt"), "protocol": "3.1.1"},
            "frame_upload": {"from_hour": 0, "to_hour": 0, "bytes_per_s": 0}, "update": self._update,
        }  # fmt: skip
        self._config.write_text(yaml.safe_dump(tree))


def run(module: str, *words: object) -> str:
    """One of our commands to its end; what it printed.

    Raises:
        RuntimeError: it ended badly.
    """
    entry = f"from {module}.cli import app; app(prog_name='{module}')"
    command = [sys.executable, "-c", entry, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "TZ": "UTC"})
    if done.returncode:
        raise RuntimeError(
            f"{module} {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr[-3000:]}{done.stdout}"
        )
    return done.stdout


@contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback, as any host of files does; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
