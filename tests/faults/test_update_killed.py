"""A device is killed at any instant of an update: one slot always runs, and it ends confirmed or rolled back."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
import yaml

from edge.contract.control import Desired, Phase
from edge.model import LoadedModel
from edge.preprocess import fit
from edge.settings import InferenceSettings
from edge.update.slots import Slot, Slots
from edge.update.slotstore import SlotStore
from tests.sim.http import serve
from tests.sim.releases import Releases
from tests.sim.updating import QUICK
from tests.sim.versions import build_version, pot_pictures

LASTS_S = {
    Phase.DOWNLOADING: 0.5,
    Phase.STAGED: 0.003,
    Phase.COMPILING: 0.003,
    Phase.TESTING: 1.5,
    Phase.SHADOW: 1.2,
    Phase.ACTIVE: 1.5,
}
"""About how long each phase lasts: a random moment of it is the moment of the kill."""

ENDS = {Phase.CONFIRMED, Phase.ROLLED_BACK, Phase.REFUSED}
UPDATE = {**QUICK, "shadow_pictures": 2, "probation_s": 0.6, "bytes_per_s": 200_000}
INFERENCE = InferenceSettings(package=Path("unused"))


class Victim:
    """The device's folder, and a process on it that is killed over and over."""

    def __init__(self, folder: Path, releases: Releases, factory: Path, url: str) -> None:
        self._folder, self._releases = folder, releases
        self.store = SlotStore(folder / "state", factory)
        self._version = 1
        self.kills: Counter[Phase | None] = Counter()
        self.ends: Counter[Phase] = Counter()
        tree = {
            "site": "gh",
            "device": "cam",
            "state_dir": "state",
            "inference": {"package": str(factory)},
            "cameras": [{"name": "top", "source": {"kind": "folder", "path": "none"}}],
            "mqtt": None,
            "update": {**UPDATE, "root": str(releases.root), "url": url},
        }
        (folder / "device.yaml").write_text(yaml.safe_dump(tree))
        self.order_next()

    def order_next(self) -> None:
        """The fleet wants a version that was not there before."""
        self._version += 1
        version = f"0.0.{self._version}"
        wanted = self._releases.publish(build_version(self._folder / version, version))
        order = Desired(revision=self._version, wanted=wanted)
        (self._folder / "desired.json").write_bytes(order.encode())

    def run_until(self, wanted: set[Phase]) -> tuple[subprocess.Popen[str], Phase]:
        """Start the device and wait until the newest order's update comes to one of these phases."""
        with (self._folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.sim.updating_process", str(self._folder / "device.yaml"),
                 str(self._folder / "desired.json")],
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert process.stdout
        for line in process.stdout:
            version, phase = line.split()
            if version == f"0.0.{self._version}" and Phase(phase) in wanted:
                return process, Phase(phase)
        process.wait()
        raise AssertionError((self._folder / "log").read_text()[-3000:])

    def kill_in(self, phase: Phase, rng: random.Random) -> None:
        """Kill the device in ``phase``; where the update is past it, first at its end and then in the next update."""
        while not self._killed_in(phase, rng):
            pass

    def _killed_in(self, phase: Phase, rng: random.Random) -> bool:
        process, reached = self.run_until({phase, *ENDS})
        time.sleep(rng.uniform(0, LASTS_S.get(reached, 0.0)))
        self._kill(process)
        slots = self.assert_one_slot_runs()
        self.kills[reached] += 1
        if slots.update and slots.update.phase in ENDS:
            self.ends[slots.update.phase] += 1
            self.order_next()
        return reached is phase

    def kill_at_start(self, rng: random.Random) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.sim.updating_process", str(self._folder / "device.yaml"),
             str(self._folder / "desired.json")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(rng.uniform(0, 1.5))
        self._kill(process)
        self.assert_one_slot_runs()
        self.kills[None] += 1

    def assert_one_slot_runs(self) -> Slots:
        """What the slots say runs is whole, is what they say, and sees."""
        assert not list(self.store.folder.glob("*.damaged"))
        slots = self.store.read()
        loaded = LoadedModel.load(self.store.path(slots.active), INFERENCE)
        if slots.active is not Slot.FACTORY:
            assert loaded.package.digest == slots.held[slots.active].digest
        image, placement = fit(pot_pictures(1)[0], 128, 128)
        assert loaded.segment(image, placement).plant.any()
        return slots

    def finish(self) -> Phase:
        """Let the last update come to its end."""
        process, phase = self.run_until(ENDS)
        self._kill(process)
        slots = self.assert_one_slot_runs()
        if phase is Phase.CONFIRMED:
            assert slots.held[slots.active].version == f"0.0.{self._version}"
        return phase

    @staticmethod
    def _kill(process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    releases = Releases(tmp_path / "releases")
    factory = build_version(tmp_path / "factory", "0.0.1")
    with serve(releases.public) as url:
        yield Victim(tmp_path, releases, factory, url)


LONG = [pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.mark.parametrize("kills", [pytest.param(12, marks=pytest.mark.timeout(300)), pytest.param(200, marks=LONG)])
def test_a_device_killed_in_every_phase_always_has_a_slot_that_runs(victim: Victim, kills: int) -> None:
    rng, phases = random.Random(4), cycle((*LASTS_S, None))
    while sum(victim.kills.values()) < kills or any(victim.kills[phase] < kills // 12 for phase in LASTS_S):
        phase = next(phases)
        victim.kill_in(phase, rng) if phase else victim.kill_at_start(rng)
    assert victim.finish() in {Phase.CONFIRMED, Phase.ROLLED_BACK}
    assert Phase.REFUSED not in victim.ends
