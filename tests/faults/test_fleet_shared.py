"""Three processes file the records of many devices, and one is killed at random: nothing is lost or stored twice."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from sqlalchemy import func, select

from fleet import schema
from fleet.store import Store
from tests.sim.fleet_device import FleetDevice
from tests.sim.mosquitto import Mosquitto
from tests.sim.postgres import new_database

STARTS_WITHIN_S = 60.0
DEVICES, TOTAL, KILLS = 5, 400, 3


class Member:
    """``canopy-fleet ingest`` in a process of its own."""

    def __init__(self, folder: Path, config: Path, number: int) -> None:
        self.ready, self._log = folder / f"ready{number}", folder / f"log{number}"
        command = [sys.executable, "-m", "fleet", "ingest", "--config", str(config), "--ready-file", str(self.ready)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self.ready.exists():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=15)

    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def url(postgres: str) -> Iterator[str]:
    with new_database(postgres) as made:
        yield made


@pytest.fixture
def config(tmp_path: Path, mosquitto: Mosquitto, url: str) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        f"state_dir: state\ndatabase: {url}\nmqtt: {{embedded: false, port: {mosquitto.port}}}\n"
        "ingest: {shared: true}\n"
    )
    return path


@pytest.mark.timeout(240)
def test_three_processes_of_which_one_is_killed_at_random_lose_nothing_and_repeat_nothing(
    tmp_path: Path, config: Path, mosquitto: Mosquitto, url: str
) -> None:
    rng = random.Random(7)
    members = [Member(tmp_path, config, number) for number in range(3)]
    for member in members:
        member.wait_ready()
    devices = [FleetDevice(mosquitto.port, TOTAL, f"dev{number}", f"{number:032x}") for number in range(DEVICES)]
    delivered: list[bool] = []
    threads = [threading.Thread(target=lambda one=one: delivered.append(one.deliver(180))) for one in devices]
    for thread in threads:
        thread.start()
    for kill in range(KILLS):
        goal = (kill + 1) * DEVICES * TOTAL // (KILLS + 2)
        while sum(device.watermark for device in devices) < goal and any(thread.is_alive() for thread in threads):
            time.sleep(0.005)
        place = rng.randrange(3)
        members[place].end(signal.SIGKILL)
        members[place] = Member(tmp_path, config, 3 + kill)
    for thread in threads:
        thread.join()
    assert delivered == [True] * DEVICES
    assert counted(url) == {f"dev{number}": (TOTAL, TOTAL, TOTAL, TOTAL) for number in range(DEVICES)}
    assert settled(mosquitto.port, DEVICES) == {f"dev{number}": TOTAL for number in range(DEVICES)}
    for device in devices:
        device.close()
    for member in members:
        member.wait_ready()
        assert member.end(signal.SIGTERM) == 0, member.log()
        assert "Traceback" not in member.log()


def counted(url: str) -> dict[str, tuple[int, int, int, int]]:
    """Of each device: its observations, its different numbers, the watermark, and what its account says it sent."""
    table, streams, devices = schema.observations.c, schema.streams.c, schema.devices.c
    numbers = (func.count(), func.count(table.seq.distinct()), streams.watermark, streams.received)
    query = select(devices.device, *numbers).join_from(schema.observations, schema.streams).join(schema.devices)
    store = Store(url)
    with store.reading() as connection:
        rows = connection.execute(query.group_by(devices.device, streams.watermark, streams.received)).all()
    store.close()
    return {row[0]: tuple(row[1:]) for row in rows}  # type: ignore[misc]


def settled(port: int, devices: int) -> dict[str, int]:
    """The watermarks that the broker retains, once no process corrects them any more."""
    found: dict[str, int] = {}
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_connect = lambda client, *_: client.subscribe("canopy/v1/+/+/ack", 1)
    client.on_message = lambda _client, _data, message: found.update(
        {message.topic.split("/")[3]: json.loads(message.payload)["seq"]}
    )
    client.connect("127.0.0.1", port)
    client.loop_start()
    deadline = time.monotonic() + 20
    while (len(found) < devices or min(found.values()) < TOTAL) and time.monotonic() < deadline:
        time.sleep(0.1)
    client.disconnect()
    client.loop_stop()
    return found
