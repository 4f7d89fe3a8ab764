"""What the fleet wants and what the device reports, through a real Mosquitto that forgets and falls over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge.contract.control import Desired, ModelRef, Phase, Reported, Wanted
from edge.contract.messages import Health, Info
from edge.contract.topics import DESIRED, REPORTED, Address, decode
from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.settings import MqttSettings, OutboxSettings
from tests.sim.mosquitto import Mosquitto
from tests.sim.records import BEGIN
from tests.sim.spine import wait_for

WITHIN_S = 20.0
MODEL = ModelRef(name="green", version="0.0.2", digest=f"sha256:{2:064x}")
WANTED = Wanted(model=MODEL, target="cpu/green-0.0.2.zip")
DESIRED_TOPIC, REPORTED_TOPIC = (str(Address("north", "cam-7", channel)) for channel in (DESIRED, REPORTED))


class Updates:
    """Remembers what it hears, and reports what it is told to."""

    def __init__(self) -> None:
        self.heard: list[Desired] = []
        self.reported = Reported(at=BEGIN, boot_id="b", hardware="cpu")

    def hear(self, desired: Desired) -> None:
        self.heard.append(desired)


class FleetEnd:
    """The fleet's connection: publishes ``desired`` retained, and collects reports."""

    def __init__(self, port: int) -> None:
        self.reports: list[tuple[Reported, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(REPORTED_TOPIC, 1)
        self._client.on_message = self._collect
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def want(self, payload: bytes) -> None:
        self._client.publish(DESIRED_TOPIC, payload, 1, retain=True).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _collect(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.reports.append((decode(REPORTED, message.payload), message.retain))


@pytest.fixture
def updates() -> Updates:
    return Updates()


@pytest.fixture
def publisher(tmp_path: Path, mosquitto: Mosquitto, updates: Updates) -> Iterator[Publisher]:
    outbox = Outbox(tmp_path / "outbox.sqlite", OutboxSettings())
    made = Publisher(
        outbox,
        MqttSettings(host="127.0.0.1", port=mosquitto.port),
        "north",
        "cam-7",
        lambda: Info(boot_id="b", software="1", hardware="h", python="3"),
        lambda: Health(at=BEGIN, boot_id="b", epoch="0" * 32, last_seq=0, watermark=0),
        updates,
    )
    yield made
    made.stop(2.0)
    outbox.close()


@pytest.fixture
def fleet(mosquitto: Mosquitto) -> Iterator[FleetEnd]:
    made = FleetEnd(mosquitto.port)
    yield made
    made.close()


def test_what_was_wanted_before_the_device_came_is_heard_and_each_change_is_reported_once(publisher, updates, fleet):
    fleet.want(Desired(revision=4, wanted=WANTED).encode())
    publisher.start()
    wait_for(lambda: bool(updates.heard), WITHIN_S)
    assert updates.heard[0].wanted == WANTED
    wait_for(lambda: len(fleet.reports) == 1, WITHIN_S)
    updates.reported = updates.reported.model_copy(update={"revision": 4, "phase": Phase.DOWNLOADING})
    wait_for(lambda: len(fleet.reports) == 2, WITHIN_S)
    assert [(report.revision, report.phase) for report, _ in fleet.reports] == [
        (0, Phase.IDLE),
        (4, Phase.DOWNLOADING),
    ]


def test_nonsense_and_oversize_on_the_wire_change_nothing(publisher, updates, fleet, caplog):
    publisher.start()
    wait_for(lambda: bool(fleet.reports), WITHIN_S)
    fleet.want(b"{not json")
    fleet.want(b'{"schema": 1, "revision": 1, "roll_back": ' + b" " * (DESIRED.max_bytes + 1) + b"false}")
    fleet.want(Desired(revision=5).encode())
    wait_for(lambda: bool(updates.heard), WITHIN_S)
    assert [desired.revision for desired in updates.heard] == [5]
    assert "cannot be read" in caplog.text


def test_a_broker_that_forgot_everything_is_told_again(publisher, updates, fleet, mosquitto):
    publisher.start()
    wait_for(lambda: bool(fleet.reports), WITHIN_S)
    fleet.close()
    mosquitto.restart()
    late = FleetEnd(mosquitto.port)
    try:
        wait_for(lambda: bool(late.reports), WITHIN_S)
        late.want(Desired(revision=6).encode())
        wait_for(lambda: bool(updates.heard), WITHIN_S)
    finally:
        late.close()
