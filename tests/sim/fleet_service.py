"""``canopy-fleet serve`` in a process of its own, to be killed and started again."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

STARTS_WITHIN_S = 30.0


class Service:
    """The real command. ``mqtt`` is the broker's settings as YAML; ``more`` further lines of the configuration."""

    def __init__(self, folder: Path, mqtt: str, more: str = "", http_port: int = 0) -> None:
        self._folder = folder
        self.ready = folder / "ready.json"
        self.config = folder / "fleet.yaml"
        self.config.write_text(f"state_dir: state\nhttp: {{port: {http_port}}}\nmqtt: {mqtt}\n{more}")
        self._command = [
            sys.executable,
            "-W",
            "error::ResourceWarning",
            "-m",
            "fleet",
            "serve",
            "--config",
            str(self.config),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, int]:
        """Start it and wait until it answers; returns its ports."""
        self.ready.unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*self._command, "--ready-file", str(self.ready)], stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self.ready.exists():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return dict(json.loads(self.ready.read_text()))

    def end(self, how: signal.Signals) -> int:
        """End it; returns its exit code."""
        assert self.process
        self.process.send_signal(how)
        return self.process.wait(timeout=15)

    def log(self) -> str:
        return (self._folder / "log").read_text()
