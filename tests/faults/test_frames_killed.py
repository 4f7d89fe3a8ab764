"""Frames go home through kills of the device that sends, the service that takes, and the daemon that keeps them."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from sqlalchemy import select
from typer.testing import CliRunner

from edge.harvest.shelf import Shelf, all_frames
from fleet import schema
from fleet.ca.folder import CaFolder
from fleet.cli import app as fleet_command
from fleet.store import Store
from tests.sim.authority import PASSPHRASE
from tests.sim.green_model import build_green_package
from tests.sim.pictures import draw_pictures
from tests.sim.spine import Command, random_moment
from tests.sim.waiting import wait_for
from tests.unit.test_frame_upload import large

RUN = CliRunner()
FRAMES = 5


class Greenhouse:
    """A fleet service over TLS with its own authority, and a device ``gh/cam`` that has enrolled there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.started: list[Command] = []
        (folder / "fleet").mkdir()
        self.config, self.ready = folder / "fleet" / "fleet.yaml", folder / "fleet" / "ready.json"
        self._configure_fleet()
        self.fleet_command("ca", "init")
        self.fleet_command("ca", "server", "localhost")
        words = ("serve", "--config", self.config, "--ready-file", self.ready)
        self.service = Command(folder / "fleet", "fleet", *words)
        self.start_service()
        self.device = folder / "device"
        self.state = self.device / "state"
        build_green_package(self.device / "package")
        draw_pictures(self.device / "pictures", 12)
        token = json.loads(self.fleet_command("device", "enroll-token", "gh/cam", "--json"))["token"]
        self.configure_device()
        self.canopy("enroll", "--fleet", f"https://localhost:{self.port}", "--token", token)

    def _configure_fleet(self) -> None:
        server = CaFolder(self.folder / "fleet" / "state" / "ca").path / "server"
        tls = {"certificate": f"{server}/localhost.pem", "key": f"{server}/localhost.key"}
        tree = {"state_dir": "state", "mqtt": {"port": 0}, "http": {"port": self.port, "tls": tls}}
        self.config.write_text(yaml.safe_dump(tree))

    def configure_device(self, **more: object) -> None:
        camera = {"name": "top", "source": {"kind": "folder", "path": "pictures"}, "max_fps": 4}
        harvest = {"random_share": 1.0, "day_bytes": 10**9, "frame_bytes": 100_000}
        tree = {
            "site": "gh", "device": "cam", "state_dir": "state", "inference": {"package": "package"}, "mqtt": None,
            "cameras": [{**camera, "harvest": harvest}], "frame_upload": {"bytes_per_s": 200_000, **more},
        }  # fmt: skip
        (self.device / "device.yaml").write_text(yaml.safe_dump(tree))

    def start_service(self) -> None:
        self.ready.unlink(missing_ok=True)
        self.service.start()
        wait_for(self.ready.exists, 30, lambda: self.service.log)
        self.port = int(json.loads(self.ready.read_text())["http_port"])
        self._configure_fleet()  # the device knows this port

    def fleet_command(self, *words: str) -> str:
        done = RUN.invoke(fleet_command, [*words, "--config", str(self.config)])
        assert done.exit_code == 0, done.output
        return done.stdout

    def begin(self, *words: str) -> Command:
        command = Command(self.device / "by-hand", "edge", *words, "--config", str(self.device / "device.yaml"))
        command.start()
        return command

    def canopy(self, *words: str) -> str:
        command = self.begin(*words)
        code, output = command.wait(60)
        assert code == 0, output + command.log
        return output

    def assert_home(self, digests: set[str]) -> None:
        """Exactly these frames are in the fleet, whole; on the device there is none."""
        store = Store(f"sqlite:///{self.folder / 'fleet' / 'state' / 'fleet.sqlite'}")
        with store.reading() as connection:
            rows = [row.digest for row in connection.execute(select(schema.frames))]
        store.close()
        assert sorted(rows) == sorted(digests)
        frames = self.folder / "fleet" / "state" / "frames"
        files = [path for path in frames.rglob("*") if path.is_file()]
        found = {f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files}
        assert found == digests, files
        assert all_frames(self.state) == []


@pytest.fixture
def greenhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Greenhouse]:
    monkeypatch.setenv("CANOPY_CA_PASSPHRASE", PASSPHRASE)
    made = Greenhouse(tmp_path)
    yield made
    for command in (*made.started, made.service):
        command.close()


@pytest.mark.slow
def test_every_frame_comes_home_once_through_kills_of_both_sides(greenhouse: Greenhouse) -> None:
    rng, shelf = random.Random(5), Shelf(greenhouse.state, "top")
    made = [large(number, 250_000) for number in range(1, 1 + FRAMES)]
    for frame, jpeg in made:
        shelf.write(frame, jpeg)
    for _ in range(3):
        sending = greenhouse.begin("harvest", "upload")
        random_moment(rng, 3.0)
        sending.kill()
        sending = greenhouse.begin("harvest", "upload")
        random_moment(rng, 3.0)
        greenhouse.service.kill()
        sending.wait(60)
        greenhouse.start_service()
    greenhouse.canopy("harvest", "upload")
    greenhouse.assert_home({frame.image for frame, _ in made})


def test_a_daemon_keeps_frames_and_sends_them_by_itself(greenhouse: Greenhouse) -> None:
    greenhouse.configure_device(from_hour=0, to_hour=0, look_every_s=0.2, bytes_per_s=0)
    daemon = greenhouse.begin("run")
    greenhouse.started.append(daemon)
    listed = ("dataset", "list", "--json")
    wait_for(lambda: len(json.loads(greenhouse.fleet_command(*listed))) >= 3, 60, lambda: daemon.log)
    daemon.kill()
    greenhouse.canopy("harvest", "upload")
    rows = json.loads(greenhouse.fleet_command(*listed))
    assert {(row["site"], row["device"], row["camera"]) for row in rows} == {("gh", "cam", "top")}
    assert all(0 < row["probability"] <= 1 for row in rows)
    greenhouse.assert_home({row["digest"] for row in rows})
    out = greenhouse.folder / "data"
    assert f"{len(rows)} frames" in greenhouse.fleet_command("dataset", "build", str(out))
    document = json.loads((out / "annotations.json").read_text())
    assert len(document["images"]) == len(rows)
    assert document["annotations"]
