"""``canopy-fleet serve`` is killed at any moment: nothing that it acknowledged is lost, nothing is stored twice."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from fleet import schema
from fleet.store import Store
from tests.sim.fleet_device import FleetDevice

ROUNDS = 10
TOTAL = 4_000
STARTS_WITHIN_S = 30.0


class Service:
    """The real command in a process of its own."""

    def __init__(self, folder: Path, mqtt: str) -> None:
        self._folder = folder
        self.ready = folder / "ready.json"
        config = folder / "fleet.yaml"
        config.write_text(f"state_dir: state\nhttp: {{port: 0}}\nmqtt: {mqtt}\n")
        self._command = [
            sys.executable,
            "-W",
            "error::ResourceWarning",
            "-m",
            "fleet",
            "serve",
            "--config",
            str(config),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, int]:
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
        assert self.process
        self.process.send_signal(how)
        return self.process.wait(timeout=15)

    def log(self) -> str:
        return (self._folder / "log").read_text()


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    broker = getattr(request, "param", "embedded")
    port = request.getfixturevalue("mosquitto").port if broker == "mosquitto" else 0
    made = Service(tmp_path, f"{{embedded: {str(broker == 'embedded').lower()}, port: {port}}}")
    yield made
    if made.process and made.process.poll() is None:
        made.end(signal.SIGKILL)


@pytest.mark.parametrize("service", ["mosquitto"], indirect=True)
def test_ten_kills_while_receiving_lose_nothing_and_repeat_nothing(service: Service, tmp_path: Path) -> None:
    rng = random.Random(11)
    device = None
    for _ in range(ROUNDS):
        ports = service.start()
        device = device or FleetDevice(ports["mqtt_port"], TOTAL)
        goal = device.watermark + rng.randint(20, TOTAL // ROUNDS)
        device.deliver(STARTS_WITHIN_S, until=lambda: device.watermark >= goal)  # noqa: B023 - used at once
        service.end(signal.SIGKILL)
        assert newest_watermark(tmp_path) >= device.watermark
    assert device
    service.start()
    assert device.deliver(STARTS_WITHIN_S), service.log()
    device.close()
    service.end(signal.SIGTERM)
    assert counted(tmp_path) == (TOTAL, 1, TOTAL)


def test_the_service_answers_stops_in_order_and_starts_again(service: Service, tmp_path: Path) -> None:
    for goal in (150, 300):
        ports = service.start()
        device = FleetDevice(ports["mqtt_port"], goal)
        assert device.deliver(STARTS_WITHIN_S), service.log()
        assert httpx.get(f"http://127.0.0.1:{ports['http_port']}/healthz").json()["ok"]
        device.close()
        assert service.end(signal.SIGTERM) == 0
    assert counted(tmp_path) == (300, 1, 300)
    assert "Traceback" not in service.log()
    assert "Warning" not in service.log()


def newest_watermark(folder: Path) -> int:
    store = opened(folder)
    marks = store.watermarks()
    store.close()
    return marks[0].seq if marks else 0


def counted(folder: Path) -> tuple[int, int, int]:
    """How many observations there are, their lowest and their highest number."""
    table = schema.observations.c
    store = opened(folder)
    with store.reading() as connection:
        row = connection.execute(select(func.count(), func.min(table.seq), func.max(table.seq))).one()
    store.close()
    return row[0], row[1], row[2]


def opened(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'state' / 'fleet.sqlite'}")
