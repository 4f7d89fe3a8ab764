"""Whatever comes in by MQTT is a letter or a reject, never an exception."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.contract import topics
from edge.contract.messages import Ack
from fleet.ingest.intake import HEAD_BYTES, Letter, Reject, read
from tests.sim.fleet_records import EPOCH, batch, gap, health

LEVELS = st.lists(st.text(max_size=8), max_size=6).map("/".join)
OURS = st.sampled_from([f"canopy/v1/s/d/{name}" for name in ("obs/cam", "event", "state", "info", "health", "ack")])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(LEVELS | OURS, st.binary(max_size=200) | JSON.map(lambda tree: json.dumps(tree).encode()))
@example("canopy/v1/s/d/obs/cam", b"[" * 100_000)
@example("canopy/v1/s/d/ack", b'{"epoch":"' + b"a" * 32 + b'","seq":1}')
@example("", b"")
def test_any_bytes_on_any_topic_are_a_reject(topic: str, payload: bytes) -> None:
    found = read(topic, payload)
    assert isinstance(found, Reject)
    assert len(found.topic) <= 256
    assert len(found.reason) <= 256
    assert len(found.head) <= HEAD_BYTES


def mangled(**changes: object) -> bytes:
    tree = json.loads(batch([1]).encode())
    for path, value in changes.items():
        *way, last = path.split("__")
        place = tree["items"][0]
        for step in way:
            place = place[step]
        place[last] = value
    return json.dumps(tree).encode()


@pytest.mark.parametrize(
    "payload",
    [
        mangled(record__camera="other"),
        mangled(first_seq=1, seq=500),
        mangled(record__frame_id=2**80),
        mangled(record__clock__at="0001-01-01T00:00:00+14:00"),
        mangled(record__clock__at="2026-06-01T12:00:00"),
        mangled(record__traits=[{"trait": "leaf_count", "value": float("nan"), "unit": "count"}]),
        mangled(seq=0),
        mangled(seq=2**60),
        batch([1]).encode() + b" " * topics.OBS.max_bytes,
        b'{"epoch":"' + EPOCH.encode() + b'","items":[]}',
    ],
    ids=[
        "another camera", "a range", "huge frame id", "year 1", "no offset", "NaN", "seq 0", "huge seq", "too large",
        "empty",
    ],
)  # fmt: skip
def test_a_batch_that_says_what_cannot_be_is_a_reject(payload: bytes) -> None:
    assert isinstance(read("canopy/v1/s/d/obs/cam", payload), Reject)


@pytest.mark.parametrize("number", [2**53 + 1, 2**70])
def test_health_with_a_number_that_no_column_holds_is_a_reject(number: int) -> None:
    payload = health(3).encode().replace(b'"last_seq":3', f'"last_seq":{number}'.encode())
    assert isinstance(read("canopy/v1/s/d/health", payload), Reject)


def test_an_acknowledgement_from_elsewhere_is_a_reject() -> None:
    assert isinstance(read("canopy/v1/s/d/ack", Ack(epoch=EPOCH, seq=9).encode()), Reject)


@pytest.mark.parametrize(("name", "message"), [("obs/cam", batch([1, 2])), ("event", gap(1, 5)), ("health", health(3))])
def test_what_a_device_sends_is_a_letter(name: str, message: object) -> None:
    found = read(f"canopy/v1/s/d/{name}", message.encode(), retained=True)  # type: ignore[attr-defined]
    assert found == Letter("s", "d", message, live=False)  # type: ignore[arg-type]


def test_the_same_mistake_has_the_same_reason_wherever_it_stands() -> None:
    first, second = mangled(seq=0), json.dumps({"epoch": EPOCH, "items": [*json.loads(batch([1]).encode())["items"],
                                                json.loads(mangled(seq=-7))["items"][0]]}).encode()  # fmt: skip
    reasons = {read("canopy/v1/s/d/obs/cam", payload).reason for payload in (first, second)}  # type: ignore[union-attr]
    assert len(reasons) == 1
