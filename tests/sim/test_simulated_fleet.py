"""A fleet of update clients, the real service and a real Mosquitto: what rollouts promise, proved end to end."""

import asyncio
import json
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.contract.control import Failure
from fleet import audit
from fleet.cli import app
from fleet.registry import register
from fleet.rollouts import views
from fleet.rollouts.rows import read_facts
from fleet.store import Store
from tests.sim.depot import Depot, build_repository
from tests.sim.fleet_of_updaters import Defects, Mix, Updaters, dump, until
from tests.sim.fleet_service import Service
from tests.sim.models import packed
from tests.sim.mosquitto import Mosquitto, free_port

RUN = CliRunner()
QUICK = "rollouts: {tick_s: 0.2, settle_s: 0.5}\n"
THIRTY = (Mix("cpu", "rtsp", 12), Mix("orin", "csi", 9), Mix("x86", "v4l2", 9))
TWO_HUNDRED = (Mix("cpu", "rtsp", 80), Mix("orin", "csi", 60), Mix("x86", "v4l2", 40), Mix("x86", "rtsp", 20))
BAD_ON_ORIN = {("orin", "1.1.0"): Failure.ROLLED_BACK}
REFUSED_BY_ORIN = {("orin", "1.1.0"): Failure.REJECTED}

SIZES = [pytest.param(THIRTY, 30.0, id="30"), pytest.param(TWO_HUNDRED, 60.0, id="200", marks=pytest.mark.slow)]


pytestmark = pytest.mark.timeout(300)


class Scene:
    """The service, its broker, its store and its devices, as a test drives them."""

    def __init__(self, folder: Path, broker: Mosquitto, mixes: tuple[Mix, ...], defects: Defects, **how: Any) -> None:
        self.broker = broker
        zips, packages = zip(*(packed(folder, version) for version in ("1.0.0", "1.1.0")), strict=True)
        self.old, self.new = (package.ref for package in packages)
        repository = build_repository(folder, list(zips), sorted({mix.hardware for mix in mixes}))
        more = QUICK + f"updates: {{repository: {repository}}}\n"
        http_port = free_port()
        self.service = Service(folder, f"{{embedded: false, port: {broker.port}}}", more, http_port)
        self.service.start()
        self.store = Store(f"sqlite:///{folder / 'state' / 'fleet.sqlite'}")
        with self.store.writing() as connection:
            for package in packages:
                register(connection, package, "test")
        root = (repository / "public" / "metadata" / "1.root.json").read_bytes()
        self.depot = Depot(folder / "depot", f"http://127.0.0.1:{http_port}/updates", root)
        self.fleet = Updaters(folder / "devices", broker.port, mixes, self.old, defects, self.depot, **how)

    async def begin(self, *options: str) -> dict[str, Any]:
        """Boot every device and create the rollout ``r``, by the real command line."""
        await self.fleet.boot()
        assert await until(lambda: self.known() == len(self.fleet.all), 30), self.service.log()
        words = ["rollout", "create", "rosette-1.1.0", "--id", "r", "--soak", "0", "--json", *options]
        done = RUN.invoke(app, [*words, "--config", str(self.service.config)])
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout))

    def rollout(self) -> dict[str, Any]:
        with self.store.reading() as connection:
            return views.rollout(connection, "r")

    def known(self) -> int:
        """Devices whose report has been filed."""
        with self.store.reading() as connection:
            return len(read_facts(connection))

    def state(self) -> str:
        """The rollout's, once no device is on its way."""
        found = self.rollout()
        under_way = sum(found["counts"][standing] for standing in ("offered", "under_way", "returning"))
        return "under way" if under_way else str(found["state"])

    def told(self) -> str:
        return f"{self.rollout()['says']}\n{dump(self.fleet.all)}\n{self.service.log()}"

    def close(self) -> None:
        self.store.close()
        if self.service.process and self.service.process.poll() is None:
            self.service.end(signal.SIGKILL)


@pytest.fixture
def staged(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def build(mixes: tuple[Mix, ...], defects: Defects, **how: Any) -> Scene:
        scenes.append(Scene(tmp_path, mosquitto, mixes, defects, **how))
        return scenes[-1]

    yield build
    for scene in scenes:
        scene.close()


@pytest.mark.parametrize(("mixes", "within_s"), SIZES)
def test_a_good_release_reaches_all_through_three_waves(staged, mixes, within_s: float) -> None:
    scene = staged(mixes, {})

    async def play() -> None:
        made = await scene.begin("--waves", "5,25,100")
        exposed: set[int] = set()

        def is_done() -> bool:
            exposed.add(len(scene.fleet.exposed(scene.new)))
            return scene.state() == "done"

        done = await until(is_done, within_s)
        await scene.fleet.cut_power()
        assert done, scene.told()
        waves = [wave["devices"] for wave in made["waves"]]
        assert (len(waves), sum(waves)) == (3, len(scene.fleet.all))
        assert max(size for size in exposed if size < len(scene.fleet.all)) >= waves[0]

    asyncio.run(play())
    assert len(scene.fleet.on(scene.new)) == len(scene.fleet.all)
    assert not scene.fleet.without_a_working_model()
    assert scene.depot.fetched >= len(scene.fleet.all)


@pytest.mark.parametrize(("mixes", "within_s"), SIZES)
@pytest.mark.parametrize("defects", [BAD_ON_ORIN, REFUSED_BY_ORIN], ids=["rolls back", "is refused"])
def test_one_that_fails_on_one_hardware_halts_inside_its_wave_and_everyone_is_back(
    staged, mixes, within_s: float, defects: Defects
) -> None:
    """30 % fail and 50 % are allowed: what halts it is the hardware that they share."""
    scene = staged(mixes, defects)

    async def play() -> None:
        made = await scene.begin("--waves", "40,70,100", "--errors", "50", "--min-executed", "200")
        halted = await until(lambda: scene.state() == "halted", within_s)
        await scene.fleet.cut_power()
        assert halted, scene.told()
        first = {one["device"] for one in made["devices"] if one["wave"] == 1}
        assert scene.fleet.exposed(scene.new) <= first

    asyncio.run(play())
    found = scene.rollout()
    assert found["wave"] == 1
    assert "devices with board=orin, camera=csi, hardware=orin failed, but 0 of" in found["reason"]
    assert len(scene.fleet.on(scene.old)) == len(scene.fleet.all)
    assert not scene.fleet.without_a_working_model()
    with scene.store.reading() as connection:
        assert [entry.action for entry in audit.entries(connection)][-2:] == ["rollout create", "rollout halt"]
        audit.verify(connection)


CHAOS = [
    pytest.param(THIRTY, {}, "done", 3, 0.5, id="good-30"),
    pytest.param(TWO_HUNDRED, {}, "done", 9, 0.4, id="good-200", marks=pytest.mark.slow),
    pytest.param(TWO_HUNDRED, BAD_ON_ORIN, "halted", 9, 1.5, id="bad-200", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("mixes", "defects", "end", "blows", "step_s"), CHAOS)
def test_through_power_cuts_cut_networks_and_killed_services_nobody_ends_without_a_working_model(
    staged, mixes, defects: Defects, end: str, blows: int, step_s: float
) -> None:
    """Each blow takes power or network from a tenth of the devices, kills the service, and every third the broker."""
    scene = staged(mixes, defects, seed=7, step_s=step_s)
    rng = random.Random(7)

    async def blow(number: int) -> None:
        struck = rng.sample(scene.fleet.all, len(scene.fleet.all) // 10)
        for one in struck:
            await (one.cut_power() if rng.random() < 0.5 else asyncio.to_thread(one.cut_network))
        await asyncio.to_thread(scene.service.end, signal.SIGKILL)
        if number % 3 == 2:
            await asyncio.to_thread(scene.broker.kill)
            await asyncio.to_thread(scene.broker.start)
        await asyncio.sleep(0.5 * rng.random())
        for one in struck:
            one.come_back()
        await asyncio.to_thread(scene.service.start)
        await asyncio.sleep(0.7 + 0.5 * rng.random())

    async def play() -> None:
        await scene.begin("--waves", "10,40,100", "--errors", "50", "--min-executed", "200")
        going_on = 0
        for number in range(blows):
            going_on += scene.state() != end
            await blow(number)
        assert going_on >= 2, "the blows came too late to prove anything"
        ended = await until(lambda: scene.state() == end, 60)
        await scene.fleet.cut_power()
        assert ended, scene.told()

    asyncio.run(play())
    assert not scene.fleet.without_a_working_model()
    assert len(scene.fleet.on(scene.new if end == "done" else scene.old)) == len(scene.fleet.all)
    with scene.store.reading() as connection:
        audit.verify(connection)
