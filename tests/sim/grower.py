"""A device as pages see one: there or not, measuring, drawing pictures, answering commands, taking settings.

It speaks the contract over a real broker and keeps nothing; what it says is made up and repeatable.
"""

import base64
import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import paho.mqtt.client as mqtt

from edge.contract import topics
from edge.contract.commands import Command, CommandKind, Response
from edge.contract.control import Desired, ModelRef, Phase, Reported
from edge.contract.message import Message
from edge.contract.messages import EventBatch, Health, Info, ObservationBatch, State, Tally
from edge.contract.records import (
    Clock,
    Event,
    EventEntry,
    EventKind,
    Observation,
    ObservationEntry,
    Outcome,
    QualityFlag,
    TraitValue,
)
from edge.contract.traits import CANOPY_COVER, LEAF_COUNT, PLANT_COUNT, PROJECTED_LEAF_AREA, Unit

CLIP = Path(__file__).parents[2] / "demo" / "tray.mp4"
MODELS = tuple(f"sha256:{number:064x}" for number in (1, 2))
AREA = TraitValue(
    trait=PROJECTED_LEAF_AREA.name, value=0, unit=Unit.MM2, method="pixels of leaf times the scale", uncertainty=40
)


def clock(at: datetime) -> Clock:
    return Clock(at=at, monotonic_s=1.0, boot_id="boot", clock_ok=True)


def observation(
    seq: int, camera: str, plot: str, at: datetime, age_d: float, *, model: str = MODELS[0]
) -> ObservationEntry:
    """A plot that grows as a logistic curve, seen with a little noise; at night nothing is taken."""
    noise = random.Random(f"{plot}{seq}").gauss(0, 0.012)
    area = 24_000 / (1 + math.exp(-(age_d - 16) / 4.5)) * (1 + noise)
    night = not 5 <= at.hour < 21
    traits = () if night else (
        TraitValue(trait=PLANT_COUNT.name, value=1, unit=Unit.COUNT, method="centres found by the network"),
        TraitValue(trait=LEAF_COUNT.name, value=round(3 + age_d * 0.7), unit=Unit.COUNT, method="leaf blobs"),
        AREA.model_copy(update={"value": area, "uncertainty": area * 0.03}),
        TraitValue(trait=CANOPY_COVER.name, value=min(0.95, area / 30_000), unit=Unit.FRACTION, method="share"),
    )  # fmt: skip
    record = Observation(
        camera=camera, plot=plot, frame_id=seq, clock=clock(at), traits=traits, model=model,
        outcome=Outcome.NOT_TAKEN if night else Outcome.MEASURED, quality=(QualityFlag.DARK,) if night else (),
    )  # fmt: skip
    return ObservationEntry(seq=seq, record=record)


def history(
    epoch: str, camera: str, plots: Sequence[str], until: datetime, days: float, every: timedelta,
    hole: tuple[float, float] | None = None,
) -> Iterator[ObservationBatch]:  # fmt: skip
    """Observations of each plot, oldest first, up to ``until``; in ``hole`` (from, to days ago) nothing came."""
    seq, at = 0, until - timedelta(days=days)
    items: list[ObservationEntry] = []
    while at <= until:
        ago_d = (until - at).total_seconds() / 86_400
        if hole is None or not hole[1] < ago_d < hole[0]:
            for number, plot in enumerate(plots):
                seq += 1
                model = MODELS[ago_d < days / 3]
                items.append(observation(seq, camera, plot, at, days - ago_d + 6 - 0.4 * number, model=model))
        at += every
        if len(items) > 900:
            yield ObservationBatch(epoch=epoch, items=tuple(items))
            items = []
    if items:
        yield ObservationBatch(epoch=epoch, items=tuple(items))


def picture(number: int) -> bytes:
    """A frame of the bundled clip with rings around what stands there, as a device draws it."""
    clip = cv2.VideoCapture(str(CLIP))
    clip.set(cv2.CAP_PROP_POS_FRAMES, number)
    taken, frame = clip.read()
    clip.release()
    assert taken
    height, width = frame.shape[:2]
    for row in range(3):
        for column in range(5):
            centre = (round((0.145 + column * 0.178) * width), round((0.185 + row * 0.315) * height))
            cv2.circle(frame, centre, round(height * 0.1), (90, 230, 120), 2, cv2.LINE_AA)
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


class Grower:
    """One device on a broker. ``asked`` are the commands that came; ``silent`` ones are not answered."""

    def __init__(
        self, port: int, name: str, cameras: Sequence[str] = ("top",), site: str = "north", epoch: str = "a" * 32,
        settings: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.site, self.name, self.cameras, self.epoch = site, name, tuple(cameras), epoch
        self.asked: list[Command] = []
        self.wanted: list[Desired] = []
        self.silent = False
        self.seq = 0
        self.settings = settings or {"cameras.top.interval_s": 60, "cameras.top.overlay": True, "log.level": "info"}
        self.refuses = {"log.level": "only debug, info and warning are known"}
        self._port = port
        self._up = threading.Event()

    def start(self) -> "Grower":
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"{self.site}-{self.name}", protocol=mqtt.MQTTv311)
        self._client.will_set(self._topic(topics.STATE), self._state(online=False), 1, True)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._up.clear()
        self._client.connect_async("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._up.wait(10), "the device did not reach the broker"
        return self

    def stop(self) -> None:
        self._client.publish(self._topic(topics.STATE), self._state(online=False), 1, True).wait_for_publish(5)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def say(self, channel: topics.Channel, message: Message, camera: str | None = None) -> None:
        self._client.publish(self._topic(channel, camera), message.encode(), channel.qos, channel.retain)

    def measure(self, plots: Sequence[str], age_d: float, camera: str = "top", at: datetime | None = None) -> None:
        """One observation of each plot, now."""
        at = at or datetime.now(timezone.utc).replace(hour=12)
        items = []
        for plot in plots:
            self.seq += 1
            items.append(observation(self.seq, camera, plot, at, age_d, model=MODELS[1]))
        self.say(topics.OBS, ObservationBatch(epoch=self.epoch, items=tuple(items)), camera)

    def happen(self, kind: EventKind, message: str, camera: str | None = None) -> None:
        self.seq += 1
        record = Event(kind=kind, clock=clock(datetime.now(timezone.utc)), message=message, camera=camera)
        self.say(topics.EVENT, EventBatch(epoch=self.epoch, items=(EventEntry(seq=self.seq, record=record),)))

    def feel(self, **more: Any) -> None:
        """Its health."""
        health = Health(
            at=datetime.now(timezone.utc), boot_id="boot", epoch=self.epoch, last_seq=self.seq, watermark=self.seq,
            frames={camera: Tally(captured=900, processed=890, dropped=10) for camera in self.cameras},
            step_p50_ms=41.0, step_p95_ms=63.0, rss_bytes=212_000_000, outbox_bytes=1_250_000,
            disk_free_bytes=41_300_000_000,
            temperatures_c={"CPU": 58.4, "GPU": 55.1}, fps=dict.fromkeys(self.cameras, 0.5),
            clocks_mhz={"CPU": 1_510.0}, power_mode="15 W", throttled=False, clock_ok=True,
        )  # fmt: skip
        self.say(topics.HEALTH, health.model_copy(update=more))

    def report(self, revision: int = 0, **more: Any) -> None:
        reported = Reported(
            at=datetime.now(timezone.utc), boot_id="boot", revision=revision, hardware="cpu", phase=Phase.IDLE,
            active=ModelRef(name="rosette", version="1.0.0", digest=MODELS[1]), settings=self.settings,
        )  # fmt: skip
        self.say(topics.REPORTED, reported.model_copy(update=more))

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(self._topic(topics.CMD), 1), (self._topic(topics.DESIRED), 1)])
        info = Info(
            boot_id="boot", software="canopy-edge 0.6.0", hardware="Jetson Orin Nano 8 GB", python="3.10.12",
            model_name="rosette", model_version="0.4.0", model=MODELS[1], cameras=self.cameras, camera_kinds=("v4l2",),
        )  # fmt: skip
        self.say(topics.STATE, State(online=True, boot_id="boot", at=datetime.now(timezone.utc)))
        self.say(topics.INFO, info)
        self.report()
        self.feel()
        self._up.set()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/cmd"):
            command = Command.model_validate_json(message.payload)
            self.asked.append(command)
            if not self.silent:
                self.say(topics.RSP, self._answer(command))
        elif message.topic.endswith("/desired"):  # the embedded broker hands on a will to everybody
            desired = Desired.model_validate_json(message.payload)
            self.wanted.append(desired)
            refused = {path: self.refuses[path] for path in desired.settings if path in self.refuses}
            taken = {path: value for path, value in desired.settings.items() if path not in refused}
            self.settings = {**self.settings, **taken}
            self.report(desired.revision, settings_refused=refused)

    def _answer(self, command: Command) -> Response:
        body, media_type = b"", ""
        if command.kind is CommandKind.SNAPSHOT:
            body, media_type = picture(76 + 8 * (len(self.asked) % 5)), "image/jpeg"
        elif command.kind is CommandKind.LOGS:
            body, media_type = (
                b"12:00:01 INFO captured <b>frame</b> 1\n12:00:02 INFO published 12 records\n",
                "text/plain",
            )
        return Response(
            id=command.id, kind=command.kind, at=datetime.now(timezone.utc), ok=True, camera=command.camera,
            media_type=media_type, body=base64.b64encode(body).decode(),
        )  # fmt: skip

    def _topic(self, channel: topics.Channel, camera: str | None = None) -> str:
        return str(topics.Address(self.site, self.name, channel, camera))

    def _state(self, *, online: bool) -> bytes:
        return State(online=online, boot_id="boot", at=datetime.now(timezone.utc)).encode()


def wait_for(condition: Any, timeout_s: float = 10.0) -> bool:
    """Whether it came true in time."""
    ends = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True
