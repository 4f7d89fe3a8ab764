"""Many devices' update clients in one event loop: the real contract over a real broker, and no models.

Each has a state of its own on the disk, as a device's slots are: two models, which one is active, and how far an update
is. It can lose its power or its network at any moment; what it had written down is all that it then knows. A model does
not work on some hardware: that shows when it is tried, and the device goes back to the model before.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import aiomqtt
from pydantic import BaseModel

from edge.contract.control import Desired, Failure, ModelRef, Phase, Reported, Wanted
from edge.contract.message import Message
from edge.contract.messages import Info, State
from edge.contract.topics import DESIRED, INFO, REPORTED, STATE, Address, Channel
from tests.sim.depot import Depot

RECONNECTS_AFTER_S = 0.2
UNDER_WAY = (Phase.DOWNLOADING, Phase.STAGED, Phase.TESTING, Phase.ACTIVE)

Defects = Mapping[tuple[str, str], Failure]
"""How a version fails on a hardware: ``rejected`` by the self-test, or ``rolled_back`` after it ran."""


class Memory(BaseModel):
    """All that survives a power cut."""

    boots: int = 0
    active: ModelRef
    fallback: ModelRef | None = None
    desired: Desired = Desired(revision=0)
    attempt: Wanted | None = None
    phase: Phase = Phase.IDLE
    failure: Failure | None = None


@dataclass
class Updater:
    """One device's update client.

    Attributes:
        defects: what does not work on it.
        depot: the real client of the update repository.
        step_s: how long each step of an update takes, at least.
        told: every revision that it took up, to see what a rollout exposed.
        blind: moments at which a model was in force that does not work, without being on trial.
    """

    name: str
    hardware: str
    camera: str
    folder: Path
    port: int
    defects: Defects
    depot: Depot
    step_s: float = 0.05
    site: str = "sim"
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    told: list[Desired] = field(default_factory=list)
    blind: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _client: aiomqtt.Client | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _network: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def where(self) -> str:
        """Its whole name."""
        return f"{self.site}/{self.name}"

    def works(self, model: ModelRef) -> bool:
        return (self.hardware, model.version) not in self.defects

    def boot(self) -> None:
        """Power on."""
        memory = self._read()
        self._write(memory.model_copy(update={"boots": memory.boots + 1}))
        self._network.set()
        self._tasks = [asyncio.create_task(self._talk()), asyncio.create_task(self._update())]

    async def cut_power(self) -> None:
        """Power off, without a word to anybody."""
        self._hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_network(self) -> None:
        self._network.clear()
        self._hang_up()

    def come_back(self) -> None:
        """After either cut."""
        self._network.set()
        if all(task.done() for task in self._tasks):
            self.boot()

    def memory(self) -> Memory:
        return self._read()

    @property
    def settled(self) -> bool:
        """Whether nothing is under way."""
        return self._read().phase not in UNDER_WAY

    # --- talking

    async def _talk(self) -> None:
        while True:
            await self._network.wait()
            with suppress(aiomqtt.MqttError, OSError):
                will = aiomqtt.Will(self._topic(STATE), self._state(online=False), qos=1, retain=True)
                async with aiomqtt.Client(
                    "127.0.0.1", self.port, identifier=self.name, will=will, timeout=10
                ) as client:
                    self._client = client
                    await self._greet(client)
                    async for message in client.messages:
                        self._take(Desired.model_validate_json(bytes(message.payload)))
            self._client = None
            await asyncio.sleep(RECONNECTS_AFTER_S * (1 + self.rng.random()))

    async def _greet(self, client: aiomqtt.Client) -> None:
        info = Info(
            boot_id=self._boot_id, software="sim", hardware=self.hardware, python="3", camera_kinds=(self.camera,)
        )
        await client.subscribe(self._topic(DESIRED), qos=1)
        await client.publish(self._topic(STATE), self._state(online=True), qos=1, retain=True)
        await client.publish(self._topic(INFO), info.encode(), qos=1, retain=True)
        await self._report()

    async def _report(self) -> None:
        """Without a connection nothing is said: the next one begins with it."""
        memory = self._read()
        reported = Reported(
            at=datetime.now(timezone.utc),
            boot_id=self._boot_id,
            revision=memory.desired.revision,
            hardware=self.hardware,
            phase=memory.phase,
            active=memory.active,
            fallback=memory.fallback,
            wanted=memory.attempt.model if memory.attempt else None,
            rollout=memory.attempt.rollout if memory.attempt else None,
            failure=memory.failure,
            reason="does not see" if memory.failure else "",
        )
        if self._client is not None:
            with suppress(aiomqtt.MqttError, OSError):
                await self._client.publish(self._topic(REPORTED), reported.encode(), qos=1, retain=True)

    def _take(self, desired: Desired) -> None:
        """Note what is wanted. What is under way ends first if the model is on trial already."""
        memory = self._read()
        if desired.revision > memory.desired.revision:
            self.told.append(desired)
            self._write(memory.model_copy(update={"desired": desired}))
            self._news.set()

    def _hang_up(self) -> None:
        if self._client is not None and (connection := self._client._client.socket()) is not None:
            with suppress(OSError):
                connection.shutdown(2)

    @property
    def _boot_id(self) -> str:
        return f"{self.name}-{self._read().boots}"

    def _topic(self, channel: Channel) -> str:
        return str(Address(self.site, self.name, channel))

    def _state(self, *, online: bool) -> bytes:
        message: Message = State(online=online, boot_id=self._boot_id, at=datetime.now(timezone.utc))
        return message.encode()

    # --- updating

    async def _update(self) -> None:
        """Take up where the disk says that it was, for ever."""
        while True:
            memory = self._read()
            if memory.phase in UNDER_WAY and memory.attempt:
                await self._go_on(memory)
            elif memory.attempt != memory.desired.wanted or self._news.is_set():
                self._news.clear()
                self._begin(memory)
                await self._report()
            else:
                await self._news.wait()

    def _begin(self, memory: Memory) -> None:
        wanted = memory.desired.wanted
        changes: dict[str, object] = {"attempt": wanted, "failure": None}
        if wanted is None:
            swap = memory.desired.roll_back and memory.fallback is not None
            changes |= {"phase": Phase.IDLE} | ({"active": memory.fallback, "fallback": None} if swap else {})
        elif wanted.model == memory.active:
            changes |= {"phase": Phase.CONFIRMED}
        elif memory.desired.roll_back and wanted.model == memory.fallback:
            changes |= {"phase": Phase.CONFIRMED, "active": memory.fallback, "fallback": memory.active}
        else:
            changes |= {"phase": Phase.DOWNLOADING}
        self._write(memory.model_copy(update=changes))

    async def _go_on(self, memory: Memory) -> None:
        """One step, which is written down when it is over."""
        await asyncio.sleep(self.step_s * (0.5 + self.rng.random()))
        called_off = self._read().desired.revision != memory.desired.revision and memory.phase is not Phase.ACTIVE
        if called_off:
            self._write(self._read().model_copy(update={"phase": Phase.IDLE, "attempt": None}))
            self._news.set()
            return
        if memory.phase is Phase.DOWNLOADING and not await self._download(memory):
            return
        self._write(self._stepped(self._read()))
        await self._report()

    async def _download(self, memory: Memory) -> bool:
        await self._network.wait()
        assert memory.attempt
        return await asyncio.to_thread(self.depot.fetch, memory.attempt.target, memory.attempt.model)

    def _stepped(self, memory: Memory) -> Memory:
        assert memory.attempt
        new = memory.attempt.model
        defect = self.defects.get((self.hardware, new.version))
        match memory.phase:
            case Phase.DOWNLOADING:
                changes: dict[str, object] = {"phase": Phase.STAGED}
            case Phase.STAGED:
                changes = {"phase": Phase.TESTING}
            case Phase.TESTING if defect is Failure.REJECTED:
                changes = {"phase": Phase.REFUSED, "failure": defect}
            case Phase.TESTING:
                changes = {"phase": Phase.ACTIVE, "active": new, "fallback": memory.active}
            case _ if defect is not None:
                changes = {"phase": Phase.ROLLED_BACK, "failure": defect, "active": memory.fallback, "fallback": None}
            case _:
                changes = {"phase": Phase.CONFIRMED}
        return memory.model_copy(update=changes)

    # --- the disk

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.name}.json"

    def install(self, model: ModelRef) -> None:
        """As it leaves the workshop."""
        self._write(Memory(active=model))

    def _read(self) -> Memory:
        return Memory.model_validate_json(self._path.read_bytes())

    def _write(self, memory: Memory) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(memory.model_dump_json())
        draft.replace(self._path)
        self.blind += memory.phase is not Phase.ACTIVE and not self.works(memory.active)


@dataclass
class Mix:
    """How many devices of which hardware and camera there are."""

    hardware: str
    camera: str
    count: int


class Updaters:
    """A fleet of update clients."""

    def __init__(
        self,
        folder: Path,
        port: int,
        mixes: Iterable[Mix],
        factory: ModelRef,
        defects: Defects,
        depot: Depot,
        seed: int = 1,
        step_s: float = 0.05,
    ) -> None:
        folder.mkdir()
        self.rng = random.Random(seed)
        self.all: list[Updater] = []
        for mix in mixes:
            for number in range(mix.count):
                name = f"{mix.hardware}-{mix.camera}-{number:03}"
                one = Updater(
                    name,
                    mix.hardware,
                    mix.camera,
                    folder,
                    port,
                    defects,
                    depot,
                    step_s,
                    rng=random.Random(self.rng.random()),
                )
                one.install(factory)
                self.all.append(one)

    async def boot(self, at_once: int = 50) -> None:
        asyncio.get_running_loop().set_exception_handler(_unless_cut)
        for first in range(0, len(self.all), at_once):
            for one in self.all[first : first + at_once]:
                one.boot()
            await asyncio.sleep(0.1)

    async def cut_power(self) -> None:
        await asyncio.gather(*(one.cut_power() for one in self.all))

    def on(self, model: ModelRef) -> list[str]:
        """The devices that a model is in force on."""
        return [one.where for one in self.all if one.memory().active == model]

    def exposed(self, model: ModelRef) -> set[str]:
        """The devices that were ever told to take a model."""
        return {
            one.where
            for one in self.all
            if any(desired.wanted and desired.wanted.model == model and not desired.roll_back for desired in one.told)
        }

    def without_a_working_model(self) -> list[str]:
        return [one.where for one in self.all if one.blind or not one.works(one.memory().active)]


def _unless_cut(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The client library still asks for a socket that was cut under it."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


async def until(condition: Callable[[], bool], within_s: float, every_s: float = 0.1) -> bool:
    """Whether the condition came true in time."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(every_s)
    return True


def dump(updaters: Iterable[Updater]) -> str:
    """For a failed test: who is where."""
    return json.dumps({one.where: json.loads(one.memory().model_dump_json()) for one in updaters}, indent=1)
