"""Thousands of devices in one process, for ``fleet.py``: the real topics and payloads, over as little MQTT as it takes.

A device keeps its own numbers, believes only the fleet's watermark, and sends again from it when it stands still.
"""

import argparse
import asyncio
import json
import random
import struct
import time
from datetime import datetime, timezone
from typing import Any

from edge.contract import topics
from edge.contract.messages import ObservationBatch
from edge.contract.records import Clock, Observation, ObservationEntry, Outcome, TraitValue
from edge.contract.traits import VOCABULARY

PLOTS, TRAITS = 30, 12
RESENDS_AFTER_S = 20.0
_MODEL = "sha256:" + "ab" * 32


def template(plots: int) -> bytes:
    """A batch of one observation for each plot, with a place for every number and moment: encoded once."""
    traits = list(VOCABULARY.values())[:TRAITS]
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    items = []
    for plot in range(plots):
        values = tuple(
            TraitValue(trait=one.name, value=10.25 + plot + number, unit=one.unit, method=one.method, uncertainty=0.5)
            for number, one in enumerate(traits)
        )
        record = Observation(
            camera="top", plot=f"R{plot}", frame_id=1, outcome=Outcome.MEASURED, traits=values, model=_MODEL,
            clock=Clock(at=at, monotonic_s=1.0, boot_id="b" * 36, clock_ok=True),
        )  # fmt: skip
        items.append(ObservationEntry(seq=plot + 1_000_001, record=record))
    text = ObservationBatch(epoch="e" * 32, items=tuple(items)).encode().replace(b"%", b"%%")
    for plot in range(plots):
        text = text.replace(f'"seq":{plot + 1_000_001}'.encode(), b'"seq":%d')
    return text.replace(b'"2026-01-01T00:00:00Z"', b'"%s"').replace(b"e" * 32, b"%s")


def payload(epoch: bytes, first: int, plots: int = PLOTS, made: bytes = template(PLOTS)) -> bytes:
    now = datetime.now(timezone.utc).isoformat().encode()
    numbers: list[object] = [epoch]
    for seq in range(first, first + plots):
        numbers += [seq, now]
    return made % tuple(numbers)


def packet(kind: int, body: bytes) -> bytes:
    length, digits = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        digits += bytes([digit | (128 if length else 0)])
        if not length:
            return bytes([kind]) + digits + body


def text(value: str) -> bytes:
    return struct.pack("!H", len(value)) + value.encode()


class Tally:
    """What all devices together have seen."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.delays_s: list[float] = []
        self.measuring = False
        self.connected = 0
        self.resent = 0


class Device(asyncio.Protocol):
    """MQTT 3.1.1: connect, subscribe to the watermark, publish with QoS 1."""

    def __init__(self, number: int, tally: Tally, *, eager: bool, plots: int, made: bytes) -> None:
        self.plots, self.made = plots, made
        self.name, self.tally, self.eager = f"d{number:05}", tally, eager
        self.epoch = f"{random.getrandbits(128):032x}".encode()
        self.sent = self.watermark = self.target = 0
        self.sent_at = 0.0
        self.online = False
        self._buffer = b""
        self._packet_id = 0
        self._transport: asyncio.Transport | None = None
        self.topic = text(str(topics.Address(f"s{number % 20}", self.name, topics.OBS, "top")))
        self.ack = text(str(topics.Address(f"s{number % 20}", self.name, topics.ACK)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._buffer = transport, b""  # type: ignore[assignment]
        self._write(packet(0x10, text("MQTT") + b"\x04\x02" + struct.pack("!H", 300) + text(self.name)))

    def connection_lost(self, _error: Exception | None) -> None:
        self.tally.connected -= self.online
        self.online = False

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            length, place, shift = 0, 1, 0
            while True:
                if place >= len(self._buffer):
                    return
                length |= (self._buffer[place] & 127) << shift
                place, shift = place + 1, shift + 7
                if not self._buffer[place - 1] & 128:
                    break
            if len(self._buffer) < place + length:
                return
            kind, body = self._buffer[0], self._buffer[place : place + length]
            self._buffer = self._buffer[place + length :]
            self._take(kind, body)

    def send(self) -> None:
        """The next batch."""
        self._publish(self.sent + 1)
        self.sent += self.plots
        self.target = self.sent
        self.sent_at = time.monotonic()

    def resend(self) -> None:
        """Everything above the watermark, as a device does that hears nothing."""
        self.tally.resent += 1
        self.sent_at = time.monotonic()
        for first in range(self.watermark + 1, self.sent + 1, self.plots):
            self._publish(first)

    def drop(self) -> None:
        if self._transport:
            self._transport.abort()

    def _publish(self, first: int) -> None:
        self._packet_id = self._packet_id % 65_535 + 1
        body = self.topic + struct.pack("!H", self._packet_id) + payload(self.epoch, first, self.plots, self.made)
        self._write(packet(0x32, body))

    def _take(self, kind: int, body: bytes) -> None:
        if kind == 0x20:
            self._write(packet(0x82, b"\x00\x01" + self.ack + b"\x01"))
        elif kind == 0x90:
            self.online = True
            self.tally.connected += 1
            if self.sent > self.watermark:
                self.resend()
        elif kind >> 4 == 3:
            place = 2 + struct.unpack("!H", body[:2])[0]
            if kind & 0x06:
                self._write(packet(0x40, body[place : place + 2]))
                place += 2
            self._acknowledged(json.loads(body[place:]))

    def _acknowledged(self, ack: dict[str, object]) -> None:
        seq = int(str(ack["seq"]))
        if str(ack["epoch"]).encode() != self.epoch or seq <= self.watermark:
            return
        self.tally.acknowledged += seq - self.watermark
        self.watermark = seq
        if seq >= self.target and self.sent_at:
            if self.tally.measuring:
                self.tally.delays_s.append(time.monotonic() - self.sent_at)
            if self.eager:
                self.send()

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


async def connect(devices: list[Device], port: int, at_once: int = 100) -> None:
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(at_once)

    async def one(device: Device) -> None:
        async with gate:
            while True:
                try:
                    await loop.create_connection(lambda: device, "127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(random.uniform(0.1, 1.0))
                else:
                    break
            for _ in range(3_000):
                if device.online:
                    return
                await asyncio.sleep(0.01)

    await asyncio.gather(*map(one, devices))


async def watch(devices: list[Device]) -> None:
    while True:
        await asyncio.sleep(2)
        now = time.monotonic()
        for device in devices:
            if device.online and device.sent > device.watermark and now - device.sent_at > RESENDS_AFTER_S:
                device.resend()


async def paced(devices: list[Device], period_s: float, until: float) -> None:
    async def one(device: Device) -> None:
        await asyncio.sleep(random.uniform(0, period_s))
        while time.monotonic() < until:
            if device.online:
                device.send()
            await asyncio.sleep(period_s)

    await asyncio.gather(*map(one, devices))


async def run(asked: argparse.Namespace) -> dict[str, object]:
    tally = Tally()
    how: dict[str, Any] = {"eager": asked.mode == "eager", "plots": asked.plots, "made": template(asked.plots)}
    devices = [Device(number, tally, **how) for number in range(asked.devices)]
    await connect(devices, asked.port)
    watching = asyncio.create_task(watch(devices))
    started = time.monotonic()
    if asked.mode == "storm":
        found = await storm(devices, asked.port, tally)
    else:
        if asked.mode == "eager":
            for device in devices:
                device.send()
            sending = None
        else:
            sending = asyncio.create_task(paced(devices, asked.period_s, started + asked.warm_up_s + asked.seconds))
        await asyncio.sleep(asked.warm_up_s)
        before, begin = tally.acknowledged, time.monotonic()
        tally.measuring = True
        print(json.dumps({"measuring": True}), flush=True)
        await asyncio.sleep(asked.seconds)
        tally.measuring = False
        rate = (tally.acknowledged - before) / (time.monotonic() - begin)
        if sending:
            sending.cancel()
        delays = sorted(tally.delays_s) or [0.0]
        found = {
            "observations_per_s": round(rate),
            "delay_p50_s": round(delays[len(delays) // 2], 3),
            "delay_p95_s": round(delays[int(len(delays) * 0.95)], 3),
            "batches": len(tally.delays_s),
        }
    watching.cancel()
    return {**found, "connected": tally.connected, "resent": tally.resent}


async def storm(devices: list[Device], port: int, tally: Tally) -> dict[str, object]:
    """Every connection breaks at once, with a batch under way; all come back at once and want to be rid of it."""
    for device in devices:
        device.drop()
    await asyncio.sleep(1)
    for device in devices:
        device.sent, device.target, device.sent_at = device.plots, device.plots, time.monotonic()
    print(json.dumps({"measuring": True}), flush=True)
    began = time.monotonic()
    back = asyncio.create_task(connect(devices, port, len(devices)))
    connected_s = 0.0
    while any(device.watermark < device.sent for device in devices) and time.monotonic() - began < 600:
        await asyncio.sleep(0.1)
        if not connected_s and tally.connected == len(devices):
            connected_s = time.monotonic() - began
    await back
    behind = sum(device.watermark < device.sent for device in devices)
    return {
        "connected_s": round(connected_s, 1),
        "complete_s": round(time.monotonic() - began, 1),
        "not_acknowledged": behind,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--mode", choices=["paced", "eager", "storm"], default="paced")
    parser.add_argument("--plots", type=int, default=PLOTS, help="observations in a batch")
    parser.add_argument("--period-s", type=float, default=60.0)
    parser.add_argument("--warm-up-s", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    print(json.dumps(asyncio.run(run(parser.parse_args()))), flush=True)


if __name__ == "__main__":
    main()
