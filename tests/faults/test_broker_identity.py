"""A real Mosquitto with the shipped configuration: who gets in, and what a device can reach from there."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from queue import Queue

import paho.mqtt.client as mqtt
import pytest

from edge.clock import read_clock
from edge.contract.messages import State
from edge.errors import DeliveryError
from edge.link import Link, LinkDown
from edge.settings import MqttSettings, TlsSettings
from fleet.ca import certificates
from fleet.ca.folder import _private_pem, pem
from fleet.ca.upkeep import ensure_fleet
from fleet.ingest.ingest import Ingest
from fleet.settings import MqttSettings as FleetMqttSettings
from fleet.settings import MqttTlsSettings
from fleet.store import Store
from tests.sim.authority import Authority, Refused, SecureMosquitto, connected, now
from tests.sim.mosquitto import require_mosquitto

# paho leaves the socket of a handshake that failed to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")

WITHIN_S = 30.0
HERS, HIS = "canopy/v1/gh/ana", "canopy/v1/gh/bob"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="module")
def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureMosquitto]:
    require_mosquitto()
    made = SecureMosquitto(tmp_path_factory.mktemp("mosquitto"), authority, *authority.server("localhost"))
    made.start()
    yield made
    made.stop()


def subscribe(client: mqtt.Client, *wishes: str) -> None:
    """Subscribe, and wait until the broker has taken every one."""
    taken: Queue[int] = Queue()
    client.on_subscribe = lambda *args: taken.put(args[2])
    for wish in wishes:
        client.subscribe(wish, qos=1)
    for _ in wishes:
        taken.get(timeout=WITHIN_S)


def publish(client: mqtt.Client, topic: str, payload: bytes = b"x", *, retain: bool = False) -> None:
    """Publish, and wait until the broker has answered."""
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WITHIN_S)


def heard_until(inbox: "Queue[mqtt.MQTTMessage]", last: str) -> list[mqtt.MQTTMessage]:
    """Everything up to the message on topic ``last``, which was sent after all others."""
    found = [inbox.get(timeout=WITHIN_S)]
    while found[-1].topic != last:
        found.append(inbox.get(timeout=WITHIN_S))
    return found


def test_a_device_publishes_below_its_own_name_and_nowhere_else(broker: SecureMosquitto, authority: Authority) -> None:
    own = ["state", "info", "obs/top", "drift/top", "event", "health", "reported", "rsp"]
    others = [
        *(f"{HIS}/{name}" for name in own),
        *(f"{HERS}/{name}" for name in ("desired", "cmd", "ack", "obs", "obs/top/more", "obs/top/", "")),
        *(f"canopy/v1/gh/{name}" for name in ("state", "ana-2/state", "ana/../bob/state")),
        *("canopy/v1/canopy-fleet/state", "elsewhere", "$SYS/broker/clients/total"),
    ]
    with (
        connected(broker, authority.ca, authority.client("canopy-fleet")) as (fleet, inbox),
        connected(broker, authority.ca, authority.client("gh/ana")) as (device, _),
    ):
        subscribe(fleet, "#", "canopy/v1/#")
        for topic in [*others, *(f"{HERS}/{name}" for name in own)]:
            publish(device, topic)
        assert {one.topic for one in heard_until(inbox, f"{HERS}/{own[-1]}")} == {f"{HERS}/{name}" for name in own}


def test_a_device_hears_what_is_for_it_and_nothing_else(broker: SecureMosquitto, authority: Authority) -> None:
    with (
        connected(broker, authority.ca, authority.client("canopy-fleet")) as (fleet, _),
        connected(broker, authority.ca, authority.client("gh/bob")) as (other, _),
        connected(broker, authority.ca, authority.client("gh/ana")) as (device, inbox),
    ):
        broad = ("#", "canopy/v1/#", "+/+/+/+/+", "$share/g/canopy/v1/#")
        subscribe(device, *broad, f"{HIS}/desired", f"{HIS}/#", f"{HERS}/#")
        publish(other, f"{HIS}/state", retain=True)
        for name in ("desired", "cmd", "ack"):
            publish(fleet, f"{HIS}/{name}", retain=name != "cmd")
            publish(fleet, f"{HERS}/{name}")
        found = {one.topic for one in heard_until(inbox, f"{HERS}/ack")}
        assert found == {f"{HERS}/{name}" for name in ("desired", "cmd", "ack")}


def test_the_fleet_says_no_more_than_what_is_wanted_and_how_far_it_is(
    broker: SecureMosquitto, authority: Authority
) -> None:
    with (
        connected(broker, authority.ca, authority.client("canopy-fleet")) as (fleet, inbox),
        connected(broker, authority.ca, authority.client("gh/ana")) as (device, _),
    ):
        subscribe(fleet, "canopy/v1/#")
        for name in ("state", "obs/top", "rsp"):
            publish(fleet, f"{HERS}/{name}", b"forged")
        publish(device, f"{HERS}/event", b"own")
        found = heard_until(inbox, f"{HERS}/event")
        assert [one.payload for one in found if not one.retain] == [b"own"]


def test_a_packet_above_the_limit_ends_its_connection_and_the_others_go_on(
    broker: SecureMosquitto, authority: Authority
) -> None:
    with (
        connected(broker, authority.ca, authority.client("canopy-fleet")) as (fleet, inbox),
        connected(broker, authority.ca, authority.client("gh/ana")) as (device, _),
    ):
        gone = threading.Event()
        device.on_disconnect = lambda *_: gone.set()
        subscribe(fleet, "canopy/v1/+/+/obs/#")
        device.publish(f"{HERS}/obs/top", b"x" * 3_000_000, qos=1)
        assert gone.wait(WITHIN_S)
        with connected(broker, authority.ca, authority.client("gh/bob")) as (other, _):
            publish(other, f"{HIS}/obs/top", b"x" * 1_000_000)
            assert len(heard_until(inbox, f"{HIS}/obs/top")) == 1


# --- no connection


@pytest.mark.parametrize("kind", ["none", "foreign", "expired", "not yet valid", "revoked", "a server's"])
def test_without_a_good_certificate_there_is_no_connection(
    broker: SecureMosquitto, authority: Authority, foreign: Authority, kind: str
) -> None:
    if kind == "a server's":
        certificate, key = authority.server("gh")
        shown = authority.path / "as-client.pem"
        shown.write_bytes(key.read_bytes() + certificate.read_bytes())
    else:
        shown = {
            "none": lambda: None,
            "foreign": lambda: foreign.client("gh/ana"),
            "expired": lambda: authority.client("gh/ana", timedelta(hours=1), now() - timedelta(hours=2)),
            "not yet valid": lambda: authority.client("gh/ana", at=now() + timedelta(days=1)),
            "revoked": lambda: authority.client("gh/ana"),
        }[kind]()
    if kind == "revoked":
        with connected(broker, authority.ca, shown):
            pass
        authority.revoke(shown)
        broker.reload()
        with connected(broker, authority.ca, authority.client("gh/ana")):
            pass  # it goes on with the others, and has read the list by now
    with pytest.raises(Refused), connected(broker, authority.ca, shown):
        pass


def test_the_issuing_key_signs_no_servers(tmp_path: Path, authority: Authority) -> None:
    """A service that is broken into gives its thief no broker: clients do not believe a server's name by that key."""
    require_mosquitto()
    issuer, key = authority.issuer(), certificates.new_key()
    made = certificates.server(["localhost"], key.public_key(), issuer.certificate, issuer.key, now())
    (tmp_path / "server.pem").write_bytes(pem(made) + pem(issuer.certificate))
    (tmp_path / "server.key").write_bytes(_private_pem(key))
    broker = SecureMosquitto(tmp_path / "m", authority, tmp_path / "server.pem", tmp_path / "server.key")
    broker.start()
    try:
        own = authority.client("gh/ana")
        with pytest.raises(Refused, match="purpose"), connected(broker, authority.ca, own):
            pass
    finally:
        broker.stop()


# --- what the device's log says


def complaint(broker: SecureMosquitto, ca: Path, own: Path, host: str = "localhost") -> str:
    """What a daemon would log that is refused; it tries again, as the daemon does, until it knows why."""
    tls = TlsSettings(ca=ca, certificate=own, key=own)
    settings = MqttSettings(host=host, port=broker.port, tls=tls)
    clock = read_clock()
    for _ in range(20):
        link = None
        try:
            link = Link(settings, "gh", "ana", will=State(online=False, boot_id=clock.boot_id, at=clock.at))
            link.open()
            link.poll(1.0)
        except LinkDown:
            continue
        except DeliveryError as error:
            return str(error)
        finally:
            if link is not None:
                link.close()
    raise AssertionError("it connected, or never learned why it did not")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("foreign", "does not know who signed this side's certificate: enrol at the fleet"),
        ("expired", r"was valid until .* enrol anew: canopy enroll"),
        ("not yet valid", r"is valid from .* set the clock \(timedatectl\)"),
        ("revoked", "was revoked: ask the operator why"),
        ("other server", "another authority signed the server's certificate"),
        ("other name", r"made for this name \(canopy-fleet ca server NAME\)"),
        ("missing", "enrol: canopy enroll --fleet URL"),
    ],
)
def test_each_refusal_says_what_mends_it(
    broker: SecureMosquitto, authority: Authority, foreign: Authority, kind: str, says: str, tmp_path: Path
) -> None:
    good = authority.client("gh/ana")
    if kind == "revoked":
        authority.revoke(good)
        broker.reload()
    own = {
        "foreign": lambda: foreign.client("gh/ana"),
        "expired": lambda: authority.client("gh/ana", timedelta(hours=1), now() - timedelta(hours=2)),
        "not yet valid": lambda: authority.client("gh/ana", at=now() + timedelta(days=1)),
        "missing": lambda: tmp_path / "device.pem",
    }.get(kind, lambda: good)()
    ca = foreign.ca if kind == "other server" else authority.ca
    found = complaint(broker, ca, own, "127.0.0.1" if kind == "other name" else "localhost")
    assert re.search(says, found), found


def test_the_service_says_why_it_is_not_connected_and_connects_with_what_it_made_itself(
    broker: SecureMosquitto, authority: Authority, foreign: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    for known, made in ((foreign, False), (authority, True)):
        ensure_fleet(authority, now())
        tls = MqttTlsSettings(ca=known.ca, certificate=authority.fleet, key=authority.fleet)
        settings = FleetMqttSettings(embedded=False, host="localhost", port=broker.port, tls=tls)
        ingest = Ingest(store, settings, broker.port)
        ingest.start()
        assert ingest.wait_subscribed(30.0 if made else 3.0) is made
        ingest.stop()
    store.close()
    assert caplog.text.count("another authority signed the server's certificate") == 1
