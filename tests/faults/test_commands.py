"""The fleet's commands and wishes through a real Mosquitto to a real daemon: once, bounded, and nothing is lost."""

import base64
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge.clock import utc_now
from edge.contract.commands import Command, CommandKind, Response
from edge.contract.control import Desired, Reported
from edge.contract.messages import Ack, ObservationBatch
from edge.contract.topics import (
    ACK,
    CMD,
    DESIRED,
    EVENT,
    OBS,
    REPORTED,
    RSP,
    Address,
    decode,
    parse_topic,
    subscription,
)
from edge.daemon import Daemon
from edge.outbox import OUTBOX_FILE, stored_stats
from edge.settings import DeviceSettings
from edge.wanted import WANTED_FILE, read_kept
from tests.sim.green_model import build_green_package
from tests.sim.mosquitto import Mosquitto
from tests.sim.spine import draw_pictures, wait_for

WITHIN_S = 30.0
PICTURES = 400


class FleetEnd:
    """The fleet's connection to one device: it commands and wants, and collects all that the device says."""

    def __init__(self, port: int) -> None:
        self.answers: list[Response] = []
        self.reports: list[Reported] = []
        self.batches: list[ObservationBatch] = []
        self.events: list[str] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        filters = [(subscription(channel, "gh", "cam"), 1) for channel in (RSP, REPORTED, OBS, EVENT)]
        self._client.on_connect = lambda client, *_: client.subscribe(filters)
        self._client.on_message = self._collect
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def command(self, **fields: Any) -> str:
        made = Command(**{"id": uuid.uuid4().hex, "expires_at": utc_now() + timedelta(seconds=60), **fields})
        self.send(made.encode())
        return made.id

    def send(self, payload: bytes) -> None:
        self._client.publish(str(Address("gh", "cam", CMD)), payload, 1).wait_for_publish(10)

    def want(self, desired: Desired) -> None:
        self._client.publish(str(Address("gh", "cam", DESIRED)), desired.encode(), 1, retain=True).wait_for_publish(10)

    def acknowledge(self, epoch: str, seq: int) -> None:
        payload = Ack(epoch=epoch, seq=seq).encode()
        self._client.publish(str(Address("gh", "cam", ACK)), payload, 1, retain=True).wait_for_publish(10)

    def answer(self, identity: str) -> Response:
        wait_for(lambda: any(each.id == identity for each in self.answers), WITHIN_S)
        return next(each for each in self.answers if each.id == identity)

    def report(self, revision: int) -> Reported:
        wait_for(lambda: any(each.revision == revision for each in self.reports), WITHIN_S)
        return self.reports[-1]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _collect(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        channel = parse_topic(message.topic).channel
        content: Any = decode(channel, message.payload)
        if channel is EVENT:
            self.events += [entry.record.kind.value for entry in content.items]
            return
        {RSP.name: self.answers, REPORTED.name: self.reports, OBS.name: self.batches}[channel.name].append(content)


class Bench:
    """A daemon over a folder that is read slowly enough to command it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.state = folder / "state"
        self.tree: dict[str, Any] = {
            "site": "gh",
            "device": "cam",
            "state_dir": str(self.state),
            "inference": {"package": str(build_green_package(folder / "package"))},
            "cameras": [
                {"name": "top", "source": {"kind": "folder", "path": str(folder / "pictures")}, "max_fps": 10},
            ],
            "outbox": {"commit_after_s": 0.05},
            "mqtt": {"host": "127.0.0.1", "port": port, "resend_after_s": 600},  # what comes twice was asked for
        }
        draw_pictures(folder / "pictures", PICTURES)
        self._running: list[tuple[Daemon, threading.Thread]] = []

    def start(self) -> Daemon:
        daemon = Daemon(DeviceSettings.model_validate(self.tree))
        thread = threading.Thread(target=daemon.run)
        thread.start()
        self._running.append((daemon, thread))
        return daemon

    def stop(self) -> None:
        for daemon, thread in self._running:
            daemon.stop()
            thread.join(20)
            assert not thread.is_alive()
        self._running.clear()


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.daemon.STATUS_EVERY_S", 0.2)


@pytest.fixture
def bench(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Bench]:
    made = Bench(tmp_path, mosquitto.port)
    yield made
    made.stop()


@pytest.fixture
def fleet(mosquitto: Mosquitto) -> Iterator[FleetEnd]:
    made = FleetEnd(mosquitto.port)
    yield made
    made.close()


def body(answer: Response) -> bytes:
    assert answer.ok, answer.reason
    return base64.b64decode(answer.body)


def picture(answer: Response) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(body(answer), np.uint8), cv2.IMREAD_COLOR)


def test_each_command_is_answered_once_and_bounded_while_observations_go_on(bench: Bench, fleet: FleetEnd) -> None:
    bench.start()
    wait_for(lambda: len(fleet.batches) > 2, WITHIN_S)
    drawn = picture(fleet.answer(fleet.command(kind=CommandKind.SNAPSHOT, camera="top")))
    assert max(drawn.shape) >= 960
    raw = picture(fleet.answer(fleet.command(kind=CommandKind.SNAPSHOT, overlay=False)))
    assert raw.shape == (128, 128, 3)
    log = body(fleet.answer(fleet.command(kind=CommandKind.LOGS, lines=50))).decode()
    assert len(log.splitlines()) <= 50
    refused = fleet.answer(fleet.command(kind=CommandKind.SNAPSHOT, camera="door"))
    assert (refused.ok, "there is top" in refused.reason, refused.body) == (False, True, "")
    late = fleet.answer(fleet.command(kind=CommandKind.LOGS, expires_at=utc_now() - timedelta(seconds=5)))
    assert (late.ok, "expired" in late.reason) == (False, True)
    fleet.send(b"{not a command")
    strange = json.loads(Command(id="f" * 32, kind=None, expires_at=utc_now() + timedelta(seconds=60)).encode())
    fleet.send(json.dumps({**strange, "kind": "dance"}).encode())
    assert "upgrade" in fleet.answer("f" * 32).reason
    before = len(fleet.batches)
    wait_for(lambda: len(fleet.batches) > before, WITHIN_S)


def test_the_same_command_again_is_answered_as_before_and_not_carried_out_again(bench: Bench, fleet: FleetEnd) -> None:
    bench.start()
    wait_for(lambda: len(fleet.batches) > 2, WITHIN_S)
    first = fleet.answer(fleet.command(kind=CommandKind.SNAPSHOT))
    fleet.command(id=first.id, kind=CommandKind.SNAPSHOT)
    wait_for(lambda: len(fleet.answers) == 2, WITHIN_S)
    assert fleet.answers[1] == first, "it was carried out again: the picture or its time is another"


def test_a_replay_sends_again_what_the_fleet_says_it_has_and_the_watermark_stays(bench: Bench, fleet: FleetEnd) -> None:
    bench.start()
    wait_for(lambda: len(fleet.batches) > 5, WITHIN_S)
    epoch, upto = fleet.batches[-1].epoch, fleet.batches[3].items[-1].seq
    early = fleet.answer(fleet.command(kind=CommandKind.REPLAY, from_seq=upto + 1))
    assert (early.ok, "sent anyway" in early.reason) == (False, True)
    fleet.acknowledge(epoch, upto)
    first = fleet.batches[0].items[0].seq

    def replayed() -> bool:
        identity = fleet.command(kind=CommandKind.REPLAY, from_seq=first)
        return fleet.answer(identity).ok

    wait_for(replayed, WITHIN_S)
    wait_for(lambda: sum(entry.seq == first for batch in fleet.batches for entry in batch.items) == 2, WITHIN_S)
    assert stored_stats(bench.state / OUTBOX_FILE).watermark == upto


def test_wishes_run_are_reported_with_those_refused_and_outlive_a_restart(bench: Bench, fleet: FleetEnd) -> None:
    bench.start()
    wait_for(lambda: len(fleet.batches) > 2, WITHIN_S)
    assert fleet.reports[-1].settings["cameras.top.max_fps"] == 10
    wishes = {
        "cameras.top.max_fps": 20,
        "cameras.top.quality.dark_below": 300,
        "cameras.top.source.path": "/etc",
        "mqtt.host": "evil.example",
    }
    fleet.want(Desired(revision=3, settings=wishes))
    wait_for(lambda: fleet.report(3).settings.get("cameras.top.max_fps") == 20, WITHIN_S)
    refused = fleet.reports[-1].settings_refused
    assert set(refused) == set(wishes) - {"cameras.top.max_fps"}
    assert "less than or equal to 255" in refused["cameras.top.quality.dark_below"]
    wait_for(lambda: {"settings_changed", "settings_refused"} <= set(fleet.events), WITHIN_S)
    wait_for(lambda: read_kept(bench.state).proven == {"cameras.top.max_fps": 20}, WITHIN_S)
    bench.stop()
    seen = len(fleet.reports)
    bench.start()
    wait_for(lambda: len(fleet.reports) > seen, WITHIN_S)
    assert (fleet.reports[-1].revision, fleet.reports[-1].settings["cameras.top.max_fps"]) == (3, 20)
    fleet.want(Desired(revision=4))
    wait_for(lambda: fleet.report(4).settings["cameras.top.max_fps"] == 10, WITHIN_S)
    numbers = sorted({entry.seq for batch in fleet.batches for entry in batch.items})
    assert len(numbers) > 5, "it goes on measuring"
    assert (bench.state / WANTED_FILE).exists()


def test_no_record_is_lost_over_many_changes_of_settings(bench: Bench, fleet: FleetEnd) -> None:
    bench.start()
    wait_for(lambda: len(fleet.batches) > 2, WITHIN_S)
    for revision in range(1, 6):
        fleet.want(Desired(revision=revision, settings={"cameras.top.max_fps": 10 + revision}))
        wait_for(lambda revision=revision: fleet.report(revision).revision == revision, WITHIN_S)
    before = len(fleet.batches)
    wait_for(lambda: len(fleet.batches) > before + 2, WITHIN_S)
    bench.stop()
    events = fleet.events
    assert events.count("started") >= 2
    assert events.count("started") <= events.count("stopped") + 1


def test_a_wish_with_which_the_daemon_never_measures_is_dropped_by_itself(bench: Bench, fleet: FleetEnd) -> None:
    bench.state.mkdir()
    (bench.state / WANTED_FILE).write_text(
        json.dumps({"revision": 7, "wishes": {"inference.threads": 64}, "proven": {}, "starts": 2})
    )
    fleet.want(Desired(revision=7, settings={"inference.threads": 64}))
    bench.start()
    report = fleet.report(7)
    wait_for(lambda: len(fleet.batches) > 2, WITHIN_S)
    assert report.settings["inference.threads"] == 1
    assert "before it had measured" in report.settings_refused["inference.threads"]
    wait_for(lambda: "settings_refused" in fleet.events, WITHIN_S)
    fleet.want(Desired(revision=8, settings={"inference.threads": 2}))
    wait_for(lambda: fleet.report(8).settings["inference.threads"] == 2, WITHIN_S)
