"""The demo's two processes: started, asked, and ended with it."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
BIN = Path(sys.executable).parent

Process = subprocess.Popen[str]


class ProcessError(Exception):
    """One of them did not start, did not answer, or ended with an error."""


@dataclass(frozen=True)
class Service:
    """The running fleet service."""

    process: Process
    page: str
    mqtt_port: int

    def items(self, path: str) -> list[Any]:
        """The items of a page; none where there is nothing yet."""
        page = self.get(path)
        return page["items"] if page else []

    def get(self, path: str) -> Any:
        """Ask its API; an empty list where there is nothing yet."""
        try:
            with urllib.request.urlopen(self.page.rstrip("/") + path, timeout=5) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            if error.code == 404:
                return []
            raise ProcessError(f"the fleet service answers {error.code} to {path}") from error
        except (URLError, TimeoutError) as error:
            raise ProcessError(f"the fleet service does not answer: {error}") from error


@dataclass(frozen=True)
class Device:
    """The running device."""

    process: Process
    log: Path

    def summary(self) -> dict[str, Any]:
        """What it printed at its end."""
        output = self.process.communicate()[0]
        if self.process.returncode:
            raise ProcessError(f"canopy run ended with {self.process.returncode}:\n{_last_lines(self.log)}")
        summary: dict[str, Any] = json.loads(output)
        return summary


@contextmanager
def start_fleet(config: Path) -> Iterator[Service]:
    """Run ``canopy-fleet serve`` and wait until it is ready."""
    ready, log = config.with_name("fleet.ready"), config.with_name("fleet.log")
    with _running(["canopy-fleet", "serve", "--config", config, "--ready-file", ready], log) as process:
        give_up_at_s = time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > give_up_at_s:
                raise ProcessError(f"canopy-fleet serve did not start:\n{_last_lines(log)}")
            time.sleep(0.05)
        ports = json.loads(ready.read_text(encoding="utf-8"))
        yield Service(process, f"http://127.0.0.1:{ports['http_port']}/", ports["mqtt_port"])


@contextmanager
def start_device(config: Path, *, until_end: bool) -> Iterator[Device]:
    """Run ``canopy run``."""
    log = config.with_name("device.log")
    end = ["--until-end"] if until_end else []
    with _running(["canopy", "run", "--config", config, "--json", "--log-level", "warning", *end], log) as process:
        yield Device(process, log)


@contextmanager
def _running(command: list[str | Path], log: Path) -> Iterator[Process]:
    """A process in a session of its own: Ctrl-C is the demo's to pass on."""
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [BIN / command[0], *command[1:]], stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _last_lines(log: Path, count: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
