"""The part of MQTT 3.1.1 that a page speaks: it connects, subscribes, pings and leaves, and cannot publish. Pure.

Source: OASIS MQTT 3.1.1, 2.2 (fixed header), 3.1 (CONNECT), 3.8 (SUBSCRIBE), 3.10 (UNSUBSCRIBE).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fleet.live.filters import check

MAX_PACKET_BYTES = 4_096
MAX_FILTERS = 16

_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE, _PINGREQ, _DISCONNECT = 1, 3, 8, 10, 12, 14
_WILL = 0x04
_MAX_LENGTH_BYTES = 4


class Refused(ValueError):
    """What came is not MQTT 3.1.1, or not what a page may send: the connection ends."""


@dataclass(frozen=True, slots=True)
class Connect:
    """A page says hello; what it gives as name and password is not looked at, its session is."""

    keepalive_s: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """It wants to hear ``filters``."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """It no longer wants to."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """It is still there."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """It leaves."""


Packet = Connect | Subscribe | Unsubscribe | Ping | Disconnect

PINGRESP = b"\xd0\x00"


def connack(code: int = 0) -> bytes:
    """Answer to CONNECT: 0 accepted, 3 the broker cannot be used now."""
    return bytes((0x20, 2, 0, code))


def suback(packet: Subscribe) -> bytes:
    """Every filter granted, at QoS 0: a page that misses something draws itself anew."""
    body = packet.packet_id.to_bytes(2, "big") + bytes(len(packet.filters))
    return b"\x90" + _length(len(body)) + body


def unsuback(packet: Unsubscribe) -> bytes:
    """Answer to UNSUBSCRIBE."""
    return b"\xb0\x02" + packet.packet_id.to_bytes(2, "big")


def publish(topic: str, payload: bytes) -> bytes:
    """A message for the page, at QoS 0."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + payload
    return bytes((_PUBLISH << 4,)) + _length(len(body)) + body


def take(buffer: bytearray) -> Iterator[Packet]:
    """Every whole packet at the beginning of ``buffer``, which is left with the rest.

    Raises:
        Refused: something a page may not send.
    """
    while len(buffer) >= 2:
        header = _header(buffer)
        if header is None:
            return
        start, end = header
        if len(buffer) < end:
            return
        first, body = buffer[0], bytes(buffer[start:end])
        del buffer[:end]
        yield _packet(first, body)


def _header(buffer: bytearray) -> tuple[int, int] | None:
    """Where the first packet's body begins and ends; ``None`` while its length is not there yet."""
    length = 0
    for place in range(_MAX_LENGTH_BYTES):
        if place + 1 >= len(buffer):
            return None
        byte = buffer[place + 1]
        length |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            break
    else:
        raise Refused("a length of more than four bytes")
    if length > MAX_PACKET_BYTES:
        raise Refused(f"a packet of {length} bytes; {MAX_PACKET_BYTES} are allowed")
    return place + 2, place + 2 + length


def _packet(first: int, body: bytes) -> Packet:
    kind, flags = first >> 4, first & 0x0F
    if kind == _CONNECT and flags == 0:
        return _connect(body)
    if kind in {_SUBSCRIBE, _UNSUBSCRIBE} and flags == 2:
        return _subscription(kind, body)
    if kind == _PINGREQ and first == 0xC0 and not body:
        return Ping()
    if kind == _DISCONNECT and first == 0xE0 and not body:
        return Disconnect()
    raise Refused(f"packet type {kind}: a page may connect, subscribe, ping and leave")


def _connect(body: bytes) -> Connect:
    if body[:7] != b"\x00\x04MQTT\x04" or len(body) < 10:
        raise Refused("not MQTT 3.1.1")
    if body[7] & _WILL:
        raise Refused("a will: a page has nothing to publish")
    return Connect(keepalive_s=int.from_bytes(body[8:10], "big"))


def _subscription(kind: int, body: bytes) -> Subscribe | Unsubscribe:
    packet_id, rest = int.from_bytes(body[:2], "big"), body[2:]
    options = 1 if kind == _SUBSCRIBE else 0
    filters: list[str] = []
    while rest:
        length = int.from_bytes(rest[:2], "big")
        name, rest = rest[2 : 2 + length], rest[2 + length + options :]
        if len(name) < length or len(filters) >= MAX_FILTERS:
            raise Refused(f"a subscription that is cut off, or of more than {MAX_FILTERS} filters")
        try:
            filters.append(check(name.decode()))
        except ValueError as error:
            raise Refused(str(error)) from error
    if not filters or not packet_id:
        raise Refused("a subscription without a filter or a number")
    return (Subscribe if kind == _SUBSCRIBE else Unsubscribe)(packet_id, tuple(filters))


def _length(count: int) -> bytes:
    """Remaining length: seven bits a byte, the lowest first (2.2.3)."""
    encoded = bytearray()
    while True:
        count, low = divmod(count, 128)
        encoded.append(low | (0x80 if count else 0))
        if not count:
            return bytes(encoded)
