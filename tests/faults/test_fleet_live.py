"""``/live`` and commands over real brokers, with a foreign MQTT client at the browser's end."""

import base64
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from sqlalchemy import select
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge.contract import topics
from edge.contract.commands import CommandKind, Response
from edge.contract.messages import Ack, Info, State
from fleet import asks, audit, schema
from fleet.broker import EmbeddedBroker
from fleet.errors import NotFound, NotPossible
from fleet.ingest.intake import Letter
from fleet.live.feed import Feed
from fleet.service import listen, serve_web
from fleet.settings import HttpSettings, MqttSettings, PictureSettings
from fleet.store import Store
from fleet.web import create_app
from tests.sim.grower import Grower, wait_for
from tests.sim.mosquitto import Mosquitto

WELL = SimpleNamespace(connected=True, writing=True, tally=dict)
ACK = str(topics.Address("north", "bench-1", topics.ACK))
NOW = datetime.now(timezone.utc)


class Page:
    """A browser's part, played by paho over WebSocket."""

    def __init__(self, port: int, filters: list[str]) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.up, self.down, self.subscribed = threading.Event(), threading.Event(), threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311, transport="websockets", reconnect_on_failure=False
        )
        self.client.ws_set_options("/live")
        self.client.on_connect = lambda client, *_: (self.up.set(), client.subscribe([(each, 0) for each in filters]))
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_disconnect = lambda *_: self.down.set()
        self.client.on_message = lambda _client, _data, message: self.heard.append((message.topic, message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@dataclass
class Live:
    port: int
    broker: Any
    store: Store
    feed: Feed
    asks: asks.Asks


@contextmanager
def served(broker: Any, folder: Path, *, embedded: bool, every_s: float = 0) -> Iterator[Live]:
    with ExitStack() as parts:
        store = Store(f"sqlite:///{folder / 'fleet.sqlite'}")
        parts.callback(store.close)
        feed = Feed(MqttSettings(embedded=embedded, port=broker.port), broker.port)
        parts.callback(feed.stop)
        feed.start()
        asking = asks.Asks(store, feed, PictureSettings(every_s=every_s))
        parts.callback(asking.stop)
        asking.start()
        assert feed.wait_connected(10)
        listening = parts.enter_context(listen(HttpSettings(port=0)))
        parts.enter_context(serve_web(create_app(store, WELL, feed, asking), listening))  # type: ignore[arg-type]
        yield Live(listening.getsockname()[1], broker, store, feed, asking)


@pytest.fixture(params=["mosquitto", "embedded"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    if request.param == "mosquitto":
        broker: Any = request.getfixturevalue("mosquitto")
    else:
        broker = EmbeddedBroker("127.0.0.1", 0, 2**21)
        broker.start()
    with served(broker, tmp_path, embedded=request.param == "embedded") as found:
        yield found
    if request.param == "embedded":
        broker.stop()


@pytest.fixture
def on_mosquitto(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Live]:
    with served(mosquitto, tmp_path, embedded=False) as found:
        yield found


def known(live: Live, device: str = "bench-1") -> None:
    """As if the device had introduced itself."""
    info = Info(boot_id="b", software="s", hardware="h", python="3", cameras=("top",))
    state = State(online=True, boot_id="b", at=NOW)
    live.store.commit([Letter("north", device, info), Letter("north", device, state)])


def test_a_page_hears_what_it_subscribed_to_and_nothing_else(live: Live) -> None:
    page = Page(live.port, ["canopy/v1/north/+/ack"])
    other = Page(live.port, ["canopy/v1/+/+/state"])
    assert page.subscribed.wait(10)
    assert other.subscribed.wait(10)
    payload = Ack(epoch="a" * 32, seq=7).encode()
    live.feed.publish(topics.Address("south", "bench-9", topics.ACK), payload)
    live.feed.publish(topics.Address("north", "bench-1", topics.ACK), payload)
    assert wait_for(lambda: page.heard)
    assert page.heard == [(ACK, payload)]
    assert other.heard == []
    page.close()
    other.close()


def test_two_pages_share_a_subscription_and_one_may_leave(on_mosquitto: Live) -> None:
    first, second = (Page(on_mosquitto.port, ["canopy/v1/+/+/ack"]) for _ in range(2))
    assert first.subscribed.wait(10)
    assert second.subscribed.wait(10)
    first.close()
    on_mosquitto.feed.publish(topics.Address("north", "bench-1", topics.ACK), b"{}")
    assert wait_for(lambda: second.heard)
    second.close()


@pytest.mark.parametrize("wanted", ["#", "canopy/v1/+/+/rsp", "canopy/v1/+/+/cmd"])
def test_a_page_that_wants_what_is_not_for_pages_is_hung_up_on(on_mosquitto: Live, wanted: str) -> None:
    page = Page(on_mosquitto.port, [wanted])
    assert page.down.wait(10)
    assert not page.subscribed.is_set()
    page.close()


def test_a_page_cannot_publish(on_mosquitto: Live) -> None:
    listener = Page(on_mosquitto.port, ["canopy/v1/+/+/ack"])
    page = Page(on_mosquitto.port, ["canopy/v1/+/+/ack"])
    assert page.subscribed.wait(10)
    assert listener.subscribed.wait(10)
    page.client.publish(ACK, b"forged", 1)
    assert page.down.wait(10)
    on_mosquitto.feed.publish(topics.Address("north", "bench-1", topics.ACK), b"true")
    assert wait_for(lambda: listener.heard)
    assert listener.heard == [(ACK, b"true")]
    page.close()
    listener.close()


def test_a_page_of_another_site_does_not_get_in(on_mosquitto: Live) -> None:
    address = f"ws://127.0.0.1:{on_mosquitto.port}/live"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, subprotocols=["mqtt"], origin="http://elsewhere.example")
    with connect(address, subprotocols=["mqtt"], origin=f"http://127.0.0.1:{on_mosquitto.port}") as own:
        assert own.subprotocol == "mqtt"


def test_pages_are_hung_up_on_when_the_broker_is_lost_and_refused_until_it_is_back(on_mosquitto: Live) -> None:
    page = Page(on_mosquitto.port, ["canopy/v1/+/+/ack"])
    assert page.subscribed.wait(10)
    on_mosquitto.broker.stop()
    assert page.down.wait(10)
    early = Page(on_mosquitto.port, ["canopy/v1/+/+/ack"])
    assert early.down.wait(10)
    assert not early.subscribed.is_set()
    on_mosquitto.broker.start()
    assert on_mosquitto.feed.wait_connected(20)
    late = Page(on_mosquitto.port, ["canopy/v1/+/+/ack"])
    assert late.subscribed.wait(10)
    on_mosquitto.feed.publish(topics.Address("north", "bench-1", topics.ACK), b"{}")
    assert wait_for(lambda: late.heard)
    for each in (page, early, late):
        each.close()


def test_a_device_is_asked_and_its_picture_kept(live: Live) -> None:
    known(live)
    device = Grower(live.broker.port, "bench-1").start()
    name = live.asks.ask("north", "bench-1", CommandKind.SNAPSHOT, "ana", camera="top")
    assert wait_for(lambda: answered(live, name))
    assert answered(live, name)["ok"]
    with live.store.reading() as connection:
        picture = connection.execute(select(schema.pictures)).mappings().one()
        assert (picture["camera"], picture["jpeg"][:2], picture["width_px"] > 100) == ("top", b"\xff\xd8", True)
        assert [entry.action for entry in audit.entries(connection)] == ["device snapshot"]
    device.stop()


def answered(live: Live, name: str) -> Any:
    with live.store.reading() as connection:
        found = asks.answer(connection, name)
    return found if found["answered_at"] else None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": base64.b64encode(b"<svg onload=alert(1)>").decode()}, "no JPEG"),
        ({"ok": False, "reason": "the camera is lost"}, "the camera is lost"),
        ({"body": "A"}, "cannot be used"),
    ],
)
def test_what_is_no_picture_is_kept_as_its_reason(on_mosquitto: Live, change: dict[str, Any], reason: str) -> None:
    known(on_mosquitto)
    device = Grower(on_mosquitto.broker.port, "bench-1")
    device.silent = True
    device.start()
    name = on_mosquitto.asks.ask("north", "bench-1", CommandKind.SNAPSHOT, "ana", camera="top")
    response = Response(id=name, kind=CommandKind.SNAPSHOT, at=NOW, ok=True, camera="top").model_copy(update=change)
    device.say(topics.RSP, response)
    assert wait_for(lambda: answered(on_mosquitto, name))
    assert (answered(on_mosquitto, name)["ok"], reason in answered(on_mosquitto, name)["reason"]) == (False, True)
    with on_mosquitto.store.reading() as connection:
        assert connection.execute(select(schema.pictures)).all() == []
    device.stop()


def test_an_answer_of_another_device_or_to_nothing_is_dropped(on_mosquitto: Live) -> None:
    known(on_mosquitto)
    known(on_mosquitto, "bench-2")
    asked, liar = (
        Grower(on_mosquitto.broker.port, "bench-1"),
        Grower(on_mosquitto.broker.port, "bench-2", epoch="b" * 32),
    )
    asked.silent = True
    asked.start()
    liar.start()
    name = on_mosquitto.asks.ask("north", "bench-1", CommandKind.LOGS, "ana")
    lie = Response(id=name, kind=CommandKind.LOGS, at=NOW, ok=True, body=base64.b64encode(b"lies").decode())
    liar.say(topics.RSP, lie)
    asked.say(topics.RSP, lie.model_copy(update={"id": "f" * 32}))
    asked.say(topics.RSP, lie.model_copy(update={"body": base64.b64encode(b"truth").decode()}))
    assert wait_for(lambda: answered(on_mosquitto, name))
    assert answered(on_mosquitto, name)["body"] == b"truth"
    asked.stop()
    liar.stop()


def test_nobody_is_asked_who_is_not_there(on_mosquitto: Live) -> None:
    known(on_mosquitto)
    on_mosquitto.store.forget_presence()
    with pytest.raises(NotPossible, match="offline"):
        on_mosquitto.asks.ask("north", "bench-1", CommandKind.LOGS, "ana")
    with pytest.raises(NotFound):
        on_mosquitto.asks.ask("north", "nobody", CommandKind.LOGS, "ana")


def test_a_device_keeps_its_newest_questions_only(on_mosquitto: Live) -> None:
    known(on_mosquitto)
    names = [
        on_mosquitto.asks.ask("north", "bench-1", CommandKind.LOGS, "ana") for _ in range(asks.KEPT_PER_DEVICE + 5)
    ]
    with on_mosquitto.store.reading() as connection:
        kept = set(connection.execute(select(schema.asks.c.id)).scalars())
    assert len(kept) == asks.KEPT_PER_DEVICE
    assert names[-1] in kept


def test_pictures_are_asked_for_by_the_service_itself(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with served(mosquitto, tmp_path, embedded=False, every_s=0.5) as live:
        known(live)
        begun = datetime.now(timezone.utc)
        device = Grower(mosquitto.port, "bench-1").start()
        assert wait_for(lambda: len(device.asked) >= 2, 15)
        with live.store.reading() as connection:
            assert connection.execute(select(schema.pictures)).one()
            assert connection.execute(select(schema.asks)).all() == []
        assert device.asked[0].expires_at - begun < timedelta(minutes=5)
        device.stop()
