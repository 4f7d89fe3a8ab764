"""Three real daemons, a real fleet service and Mosquitto: a published model reaches all of them, a blind one none."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.package import ModelPackage
from edge.stored import Selection, StoredRecord, stored_records
from edge.update.slotstore import SlotStore
from tests.sim.fleet_repository import HARDWARE
from tests.sim.mosquitto import Mosquitto
from tests.sim.releases import Releases
from tests.sim.spine import Command, draw_pictures, wait_for
from tests.sim.versions import build_version

DEVICES = ("cam-1", "cam-2", "cam-3")
ENDS_WITHIN_S = 240.0
FPS = 20
UPDATE: dict[str, Any] = {
    "hardware": HARDWARE,
    "recent_pictures": 4,
    "recent_every_s": 0.2,
    "shadow_pictures": 5,
    "shadow_s": 1,
    "probation_s": 3,
    "retry_after_s": 1,
    "reserve_bytes": 0,
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Camera(Command):
    """``canopy run`` on a folder of pictures, at a camera's pace."""

    def __init__(self, folder: Path, name: str, mqtt_port: int, update: dict[str, Any]) -> None:
        self.state, self.factory = folder / name / "state", folder / "factory"
        source = {"kind": "folder", "path": str(folder / "pictures")}
        tree = {
            "site": "gh",
            "device": name,
            "state_dir": str(self.state),
            "inference": {"package": str(self.factory)},
            "cameras": [{"name": "top", "source": source, "max_fps": FPS}],
            "outbox": {"commit_after_s": 0.2},
            "mqtt": {"host": "127.0.0.1", "port": mqtt_port},
            "update": update,
        }
        config = folder / name / "device.yaml"
        config.parent.mkdir()
        config.write_text(yaml.safe_dump(tree))
        super().__init__(folder / name, "edge", "run", "--config", config, "--json")

    def records(self, *, events: bool = False) -> list[StoredRecord]:
        with stored_records(self.state) as records:
            return list(records.all(Selection(events_only=events, observations_only=not events)))

    def events(self) -> list[str]:
        return [record.content["kind"] for record in self.records(events=True)]

    def active(self) -> str:
        store = SlotStore(self.state, self.factory)
        return ModelPackage.open(store.path(store.read().active)).digest


class Service(Command):
    """``canopy-fleet serve`` with the update repository, on the broker that everybody uses."""

    def __init__(self, folder: Path, mqtt_port: int, repository: Path) -> None:
        self.config, self._ready = folder / "fleet.yaml", folder / "ready.json"
        tree = {
            "state_dir": "state",
            "http": {"port": 0},
            "mqtt": {"embedded": False, "host": "127.0.0.1", "port": mqtt_port},
            "updates": {"repository": str(repository)},
            "rollouts": {"tick_s": 0.2, "settle_s": 1},
        }
        folder.mkdir()
        self.config.write_text(yaml.safe_dump(tree))
        super().__init__(folder, "fleet", "serve", "--config", self.config, "--ready-file", self._ready)

    def start(self) -> None:
        super().start()
        wait_for(self._ready.exists, ENDS_WITHIN_S, lambda: self.log)

    @property
    def http_port(self) -> int:
        return int(json.loads(self._ready.read_text())["http_port"])


class World:
    """Everything that there is, and the fleet's commands."""

    def __init__(self, folder: Path, mosquitto: Mosquitto) -> None:
        self.folder = folder
        self.releases = Releases(folder)
        build_version(folder / "factory", "0.0.1")
        draw_pictures(folder / "pictures", 4_000)
        self.service = Service(folder / "fleet", mosquitto.port, self.releases.folder.path)
        self.service.start()
        url = f"http://127.0.0.1:{self.service.http_port}/updates/"
        update = {**UPDATE, "root": str(self.releases.root), "url": url}
        self.cameras = [Camera(folder, name, mosquitto.port, update) for name in DEVICES]
        for camera in self.cameras:
            camera.start()

    def fleet(self, *words: object) -> Any:
        """Run ``canopy-fleet``; what it printed as JSON."""
        command = [sys.executable, "-m", "fleet", *map(str, words), "--config", self.service.config, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def roll_out(self, package: Path) -> str:
        """Publish a package and bring it to everybody at once; the rollout."""
        self.releases.publish(package)
        self.fleet("model", "add", package)
        version = ModelPackage.open(package).manifest.version
        waves = ("--waves", "100", "--soak", "1s", "--min-executed", "3", "--success", "100", "--errors", "10")
        return str(self.fleet("rollout", "create", f"green-{version}", *waves, "--on-halt", "stop")["id"])

    def standing(self, rollout: str) -> dict[str, Any]:
        return dict(self.fleet("rollout", "status", rollout, "--devices"))

    def log(self) -> str:
        return "\n".join(f"== {camera.log_file}\n{camera.log}" for camera in self.cameras) + self.service.log

    def close(self) -> None:
        for camera in self.cameras:
            camera.close()
        self.service.close()


@pytest.fixture
def world(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[World]:
    made = World(tmp_path, mosquitto)
    yield made
    made.close()


def longest_stop_s(camera: Camera) -> float:
    """The longest time between two pictures that were measured one after the other, around each change of model."""
    seen = [(record.content["clock"]["monotonic_s"], record.content["model"]) for record in camera.records()]
    switches = [at for at in range(1, len(seen)) if seen[at][1] != seen[at - 1][1]]
    assert len(switches) == 1, "the model changes once, between two pictures"
    around = [at for switch in switches for at in range(max(1, switch - 2 * FPS), min(len(seen), switch + 2 * FPS))]
    return max(seen[at][0] - seen[at - 1][0] for at in around)


def test_a_published_model_reaches_three_daemons_and_a_blind_one_none(world: World) -> None:
    wait_for(lambda: all(camera.state.exists() for camera in world.cameras), ENDS_WITHIN_S, world.log)
    wait_for(lambda: len(world.fleet("devices")) == len(DEVICES), ENDS_WITHIN_S, world.log)
    good = build_version(world.folder / "good", "0.0.2")
    rollout = world.roll_out(good)
    wait_for(lambda: world.standing(rollout)["state"] == "done", ENDS_WITHIN_S, world.log)
    for camera in world.cameras:
        assert camera.active() == ModelPackage.open(good).digest
        assert [kind for kind in camera.events() if kind.startswith("model")] == [
            "model_staged",
            "model_activated",
            "model_confirmed",
        ]
    wait_for(lambda: all(len(switched(camera)) > 2 * FPS for camera in world.cameras), ENDS_WITHIN_S, world.log)
    stops_s = {camera.state.parent.name: round(longest_stop_s(camera), 3) for camera in world.cameras}
    sys.stdout.write(f"longest stop of the loop around the switch, in seconds: {stops_s}\n")

    blind = world.roll_out(build_version(world.folder / "blind", "0.0.3", "blind and recorded so"))
    wait_for(lambda: all("model_refused" in camera.events() for camera in world.cameras), ENDS_WITHIN_S, world.log)
    wait_for(lambda: world.standing(blind)["state"] == "halted", ENDS_WITHIN_S, world.log)
    before = [len(camera.records()) for camera in world.cameras]
    wait_for(
        lambda: all(len(camera.records()) > count for camera, count in zip(world.cameras, before, strict=True)),
        ENDS_WITHIN_S,
        world.log,
    )
    for camera in world.cameras:
        assert camera.active() == ModelPackage.open(good).digest
        assert {record.content["model"] for record in camera.records()[-FPS:]} == {ModelPackage.open(good).digest}
        refusals = [
            record.content for record in camera.records(events=True) if record.content["kind"] == "model_refused"
        ]
        assert all("blind" in content["message"] for content in refusals)


def switched(camera: Camera) -> list[StoredRecord]:
    """What was measured since the first change of model."""
    records = camera.records()
    return [record for record in records if record.content["model"] != records[0].content["model"]]
