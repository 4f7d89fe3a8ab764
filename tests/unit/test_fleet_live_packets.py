"""What a page may say over MQTT, and that nothing else gets through, whatever bytes come in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.live import packets
from fleet.live.filters import HEARD, check
from fleet.live.packets import Connect, Disconnect, Ping, Refused, Subscribe, Unsubscribe

CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x1e\x00\x04page"
FILTER = b"canopy/v1/+/+/ack"
SUBSCRIBE = b"\x82" + bytes((5 + len(FILTER),)) + b"\x00\x07" + len(FILTER).to_bytes(2, "big") + FILTER + b"\x00"
UNSUBSCRIBE = b"\xa2" + bytes((4 + len(FILTER),)) + b"\x00\x08" + len(FILTER).to_bytes(2, "big") + FILTER


def taken(data: bytes) -> list[packets.Packet]:
    return list(packets.take(bytearray(data)))


def test_a_page_connects_subscribes_pings_and_leaves() -> None:
    name = FILTER.decode()
    assert taken(CONNECT + SUBSCRIBE + UNSUBSCRIBE + b"\xc0\x00\xe0\x00") == [
        Connect(30),
        Subscribe(7, (name,)),
        Unsubscribe(8, (name,)),
        Ping(),
        Disconnect(),
    ]


@given(cuts=st.lists(st.integers(0, len(CONNECT + SUBSCRIBE)), max_size=6))
def test_packets_may_come_in_any_pieces(cuts: list[int]) -> None:
    whole, found, buffer = CONNECT + SUBSCRIBE, [], bytearray()
    places = [0, *sorted(cuts), len(whole)]
    for begin, end in pairwise(places):
        buffer += whole[begin:end]
        found += list(packets.take(buffer))
    assert found == taken(whole)
    assert not buffer


@pytest.mark.parametrize(
    "data",
    [
        b"\x30\x05\x00\x01ahi",
        b"\x10\x10\x00\x04MQTT\x05\x02\x00\x1e\x00\x04page",
        b"\x10\x10\x00\x04MQTT\x04\x06\x00\x1e\x00\x04page",
        b"\x82\xff\xff\xff\xff\x7f",
        b"\x82\x80\x80\x04",
        b"\x82\x02\x00\x07",
        b"\x82\x05\x00\x07\x00\x09a",
        b"\xc0\x01\x00",
        b"\x00\x00",
    ],
    ids=["publish", "MQTT 5", "a will", "no length", "too long", "no filter", "cut off", "a ping with more", "nothing"],
)
def test_everything_else_ends_the_connection(data: bytes) -> None:
    with pytest.raises(Refused):
        taken(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_packets_or_refused(data: bytes) -> None:
    try:
        found = taken(data)
    except Refused:
        return
    for packet in found:
        if isinstance(packet, Subscribe | Unsubscribe):
            assert all(check(each) for each in packet.filters)


@pytest.mark.parametrize(
    "wanted",
    [
        *("#", "canopy/v1/#", "canopy/v1/+/+/+", "canopy/v1/+/+/#", "$SYS/#", "other/v1/+/+/ack"),
        *("canopy/v1/+/+/cmd", "canopy/v1/+/+/rsp", "canopy/v1/+/+/desired", "canopy/v1/+/+/obs"),
        *("canopy/v1/../+/ack", "canopy/v1/a+/+/ack", "canopy/v1//+/ack", "canopy/v1/+/+/ack/more"),
    ],
)
def test_orders_answers_and_everything_at_once_are_not_for_pages(wanted: str) -> None:
    with pytest.raises(ValueError, match=r"canopy|page|name|levels"):
        check(wanted)


def test_what_devices_say_of_themselves_is() -> None:
    for channel in HEARD:
        check(f"canopy/v1/north/+/{channel}" + ("/+" if channel == "obs" else ""))
    assert not HEARD & {"cmd", "rsp", "desired"}


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 300_000])
def test_lengths_are_written_as_the_standard_has_them(size: int) -> None:
    packet = packets.publish("t", bytes(size))
    length, place = 0, 1
    while True:
        length |= (packet[place] & 0x7F) << (7 * (place - 1))
        if not packet[place] & 0x80:
            break
        place += 1
    assert length == len(packet) - place - 1 == size + 3
