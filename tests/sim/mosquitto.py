"""A real Mosquitto on a loopback port of its own, that can be stopped, killed, frozen and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

STARTS_WITHIN_S = 10.0
SHIPPED_LISTENER = "listener 8883\n"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binary() -> str | None:
    """Debian keeps it in sbin, which is not on everybody's path."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """One broker; ``port`` stays the same over restarts.

    ``config`` is appended to its configuration file, or is all of it where it has a listener of its own, as
    ``configs/mosquitto/mosquitto.conf`` has.

    It keeps nothing on disk, so a restart forgets retained messages and sessions, as the worst broker would.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, config: str = "allow_anonymous true\n") -> None:
        self._binary = _binary()
        self._folder, self._config = folder, config
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it and wait until it listens."""
        assert self._binary, "mosquitto is not installed"
        assert self._process is None, "it runs already"
        ports = [self.port] * 5 if self.port else [free_port() for _ in range(5)]
        for port in ports:
            if self._listens(port):
                self.port = port
                return
        raise RuntimeError(f"mosquitto did not start on {ports}: {self.log()}")

    def stop(self) -> None:
        """End it in order: clients are told."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        """SIGHUP: read the ACL and the list of revoked certificates again."""
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    def freeze(self) -> None:
        """Connections stay open and nothing answers: a half-open network."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def log(self) -> str:
        log = self._folder / "mosquitto.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def _listens(self, port: int) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        user = "user root\n" if os.geteuid() == 0 else ""
        config = self._folder / "mosquitto.conf"
        config.write_text(user + self._text(port))
        with (self._folder / "mosquitto.log").open("ab") as log:
            process = subprocess.Popen([self._binary or "", "-c", str(config)], stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
            if self._answers(port) and process.poll() is None:
                self._process = process
                return True
        process.kill()
        process.wait()
        return False

    def _text(self, port: int) -> str:
        if SHIPPED_LISTENER not in self._config:
            return f"listener {port} {self.host}\npersistence false\n{self._config}"
        moved = self._config.replace(SHIPPED_LISTENER, f"listener {port} {self.host}\n")
        return moved.replace("persistence true", "persistence false")

    def _answers(self, port: int) -> bool:
        try:
            socket.create_connection((self.host, port), timeout=1).close()
        except OSError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def require_mosquitto() -> None:
    """Skip the test, visibly, where the broker is not installed."""
    if not _binary():
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker without passwords."""
    require_mosquitto()
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.stop()
