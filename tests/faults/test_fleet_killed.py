"""``canopy-fleet serve`` is killed at any moment: nothing that it acknowledged is lost, nothing is stored twice."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from fleet import schema
from fleet.store import Store
from tests.sim.fleet_device import FleetDevice
from tests.sim.fleet_service import STARTS_WITHIN_S, Service

ROUNDS = 10
TOTAL = 4_000


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
