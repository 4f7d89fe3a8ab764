"""One thing goes wrong while the daemon runs: a typed error, a record that tells of it, and the daemon goes on."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import edge.model
import edge.observe
from edge.bulletin import Summary
from edge.daemon import Daemon
from edge.errors import ModelError
from edge.model import LoadedModel
from edge.outbox import OUTBOX_FILE
from edge.settings import CameraSettings, DeviceSettings
from edge.sources import FrameSource, open_source
from edge.status import read_status
from edge.stored import Selection, StoredRecord, stored_records
from tests.sim.camera import Script
from tests.sim.damage import scribble
from tests.sim.green_model import build_green_package
from tests.sim.mosquitto import Mosquitto
from tests.sim.rtsp import RtspCamera
from tests.sim.spine import Fleet, draw_pictures, wait_for

ENDS_WITHIN_S = 20.0
GRID = {"kind": "grid", "rows": 2, "columns": 2}


class Bench:
    """A folder with a package, pictures and a state directory, and daemons over it in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.package = folder / "package"
        self.tree: dict[str, Any] = {
            "site": "gh",
            "device": "cam",
            "state_dir": str(self.state),
            "inference": {"package": str(self.package)},
            "cameras": [self.camera("top", "pictures")],
            "outbox": {"commit_after_s": 0.01},
            "mqtt": None,
        }

    def camera(self, name: str, pictures: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "source": {"kind": "folder", "path": str(self.folder / pictures)}, "plots": GRID, **more}

    def run(self) -> Summary:
        """Read everything to the end."""
        return Daemon(DeviceSettings.model_validate(self.tree), until_end=True).run()

    def records(self, *, events: bool = False) -> list[StoredRecord]:
        try:
            with stored_records(self.state) as records:
                return list(records.all(Selection(events_only=events, observations_only=not events)))
        except Exception:  # noqa: BLE001 - not born yet
            return []

    def events(self) -> list[tuple[str, str]]:
        """Kind and message."""
        return [(each.content["kind"], each.content["message"]) for each in self.records(events=True)]

    def outcomes(self) -> list[str]:
        return [each.content["outcome"] for each in self.records()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    build_green_package(tmp_path / "package")
    draw_pictures(tmp_path / "pictures", 6)
    return Bench(tmp_path)


@pytest.fixture
def running(bench: Bench) -> Iterator[Callable[[], Daemon]]:
    """Starts a daemon in a thread; it is stopped after the test."""
    started: list[tuple[Daemon, threading.Thread]] = []

    def start() -> Daemon:
        daemon = Daemon(DeviceSettings.model_validate(bench.tree))
        thread = threading.Thread(target=daemon.run)
        started.append((daemon, thread))
        thread.start()
        return daemon

    yield start
    for daemon, thread in started:
        daemon.stop()
        thread.join(ENDS_WITHIN_S)
        assert not thread.is_alive()


def test_truncated_and_empty_pictures_are_failed_readings_between_good_ones(bench: Bench) -> None:
    pictures = sorted((bench.folder / "pictures").iterdir())
    pictures[1].write_bytes(pictures[1].read_bytes()[:600])
    pictures[3].write_bytes(b"")
    summary = bench.run()
    assert (summary.captured, summary.processed, summary.failed, summary.dropped) == (6, 4, 2, 0)
    failed = [each.content for each in bench.records() if each.content["outcome"] == "failed"]
    assert [(each["frame_id"], each["plot"], each["traits"]) for each in failed] == [
        (frame_id, plot, []) for frame_id in (1, 3) for plot in ("R1C1", "R1C2", "R2C1", "R2C2")
    ]
    assert "0 bytes" in failed[-1]["error"]


def test_a_folder_that_cannot_be_read_is_told_and_the_other_camera_goes_on(bench: Bench) -> None:
    (bench.folder / "door").write_text("a file where a folder should be")
    bench.tree["cameras"].append(bench.camera("door", "door"))
    summary = bench.run()
    assert summary.processed == 6
    assert [(kind, "door" in message) for kind, message in bench.events()] == [
        ("started", False),
        ("camera_lost", True),
        ("stopped", False),
    ]


def test_without_its_model_a_run_over_files_ends_with_the_models_error_and_a_record(bench: Bench) -> None:
    bench.package.rename(bench.folder / "elsewhere")
    with pytest.raises(ModelError, match="package"):
        bench.run()
    assert [kind for kind, _ in bench.events()] == ["model_unusable"]
    assert bench.outcomes() == [], "the files are not used up"


def test_a_daemon_waits_for_its_model_and_measures_as_soon_as_it_is_there(
    bench: Bench, running: Callable[[], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.model, "RETRY_AFTER_S", 0.05)
    bench.package.rename(bench.folder / "elsewhere")
    draw_pictures(bench.folder / "many", 60)
    bench.tree["cameras"] = [bench.camera("top", "many", max_fps=20)]
    running()
    wait_for(lambda: "failed" in bench.outcomes(), ENDS_WITHIN_S)
    (bench.folder / "elsewhere").rename(bench.package)
    wait_for(lambda: "measured" in bench.outcomes(), ENDS_WITHIN_S)
    assert tuple(kind for kind, _ in bench.events())[:2] == ("model_unusable", "started")
    assert "package" in next(each.content["error"] for each in bench.records())


@pytest.mark.parametrize("tensor", ["centers", "offsets", "certainty", "features"])
def test_a_nan_in_a_tensor_is_a_failed_reading_and_never_a_trait(bench: Bench, tensor: str) -> None:
    build_green_package(bench.folder / "broken", nan_in=tensor)
    bench.tree["inference"]["package"] = str(bench.folder / "broken")
    summary = bench.run()
    assert (summary.processed, summary.failed) == (0, 6)
    assert {(each.content["outcome"], len(each.content["traits"])) for each in bench.records()} == {("failed", 0)}
    assert all(tensor in each.content["error"] for each in bench.records())


def test_a_defect_in_a_step_costs_one_picture(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter([ZeroDivisionError("a defect")])
    measure = edge.observe.measure

    def sometimes(*words: Any) -> Any:
        for error in calls:
            raise error
        return measure(*words)

    monkeypatch.setattr(edge.observe, "measure", sometimes)
    summary = bench.run()
    assert (summary.processed, summary.failed) == (5, 1)
    assert "a defect" in next(each.content["error"] for each in bench.records() if each.content["error"])


def test_a_camera_that_hangs_does_not_keep_a_daemon_from_ending_with_all_that_it_took(
    bench: Bench, running: Callable[[], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(["hang"])
    bench.tree["cameras"].append({"name": "door", "source": {"kind": "rtsp", "url": "rtsp://192.0.2.1/"}})

    def opened(camera: CameraSettings, variant: int) -> FrameSource:
        return script.open_source(camera) if camera.name == "door" else open_source(camera, variant)

    monkeypatch.setattr("edge.device.open_source", opened)
    daemon = running()
    wait_for(lambda: len(bench.outcomes()) == 24, ENDS_WITHIN_S)
    daemon.stop()
    wait_for(lambda: bench.events()[-1][0] == "stopped", ENDS_WITHIN_S)
    script.release.set()


def test_a_database_damaged_between_two_runs_is_put_aside_and_the_fleet_shows_the_break(
    bench: Bench, mosquitto: Mosquitto
) -> None:
    bench.tree["mqtt"] = {"host": "127.0.0.1", "port": mosquitto.port}
    fleet = Fleet(bench.folder / "fleet", mosquitto.port)
    fleet.start()
    try:
        first = bench.run()
        scribble(bench.state / OUTBOX_FILE)
        second = bench.run()
        stored = fleet.rows()
    finally:
        fleet.close()
    assert first.delivered == first.appended
    assert second.delivered == second.appended == first.appended
    assert len(list(bench.state.glob(f"{OUTBOX_FILE}.corrupt-*"))) == 1
    assert bench.events()[0][0] == "store_quarantined"
    assert sorted(len(numbers) for numbers in stored.values()) == [first.appended, second.appended + 1]
    assert any(row[0] == "store_quarantined" for numbers in stored.values() for row in numbers.values())


def test_what_a_full_budget_makes_the_device_drop_stands_in_the_fleet_as_a_gap(
    bench: Bench, mosquitto: Mosquitto
) -> None:
    draw_pictures(bench.folder / "many", 400)
    bench.tree["cameras"] = [bench.camera("top", "many")]
    bench.tree["outbox"] = {"commit_after_s": 0.05, "max_bytes": 1_000_000}
    alone = bench.run()
    assert alone.processed == 400
    assert alone.delivered == 0
    bench.tree["mqtt"] = {"host": "127.0.0.1", "port": mosquitto.port}
    bench.tree["cameras"] = [bench.camera("top", "pictures")]
    fleet = Fleet(bench.folder / "fleet", mosquitto.port)
    fleet.start()
    try:
        bench.run()
        (numbers,) = fleet.rows().values()
        gaps = fleet.gaps()
    finally:
        fleet.close()
    lost = {number for _, first, last, _ in gaps for number in range(first, last + 1)}
    with stored_records(bench.state) as records:
        last_seq = records.stats().last_seq
    assert len(lost - set(numbers)) > 100
    assert all("disk budget" in reason for *_, reason in gaps)
    assert lost | set(numbers) == set(range(1, last_seq + 1)), "each number is a record or in a gap"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk_is_waited_for_and_told_of(
    bench: Bench, small_disk: Path, running: Callable[[], Daemon], caplog: pytest.LogCaptureFixture
) -> None:
    bench.state = small_disk
    draw_pictures(bench.folder / "many", 100)
    bench.tree |= {"state_dir": str(small_disk), "cameras": [bench.camera("top", "many", max_fps=50)]}
    running()
    wait_for(lambda: len(bench.outcomes()) > 8, ENDS_WITHIN_S)
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"\0" * 4096)
            file.flush()
    wait_for(lambda: "results wait in memory" in caplog.text, ENDS_WITHIN_S)
    time.sleep(0.5)
    filler.unlink()
    wait_for(lambda: any(kind == "store_full" for kind, _ in bench.events()), ENDS_WITHIN_S)
    wait_for(lambda: len({each.content["frame_id"] for each in bench.records()}) == 100, ENDS_WITHIN_S)


def test_four_cameras_share_one_model_and_the_slow_ones_are_not_starved(
    bench: Bench, running: Callable[[], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []
    load = LoadedModel.load
    monkeypatch.setattr(LoadedModel, "load", lambda path, settings: loaded.append(path) or load(path, settings))
    with RtspCamera() as camera:
        source = {"kind": "rtsp", "url": camera.url}
        paces = {"fast-1": None, "fast-2": None, "slow-1": 2, "slow-2": 2}
        bench.tree["cameras"] = [{"name": name, "source": source, "max_fps": fps} for name, fps in paces.items()]
        daemon = running()
        wait_for(lambda: min(seen_of(bench, name) for name in paces) >= 4, ENDS_WITHIN_S)
        daemon.stop()
        wait_for(lambda: bench.events()[-1][0] == "stopped", ENDS_WITHIN_S)
    assert len(loaded) == 1
    wait_for(lambda: read_status(bench.state).health.frames["slow-1"].processed >= 4, ENDS_WITHIN_S)
    status = read_status(bench.state)
    for name in ("slow-1", "slow-2"):
        assert status.health.frames[name].dropped == 0


def seen_of(bench: Bench, camera: str) -> int:
    return sum(each.content["camera"] == camera for each in bench.records())
