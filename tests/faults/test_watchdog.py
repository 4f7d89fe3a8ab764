"""What systemd hears of the real daemon: the loop's turns, and silence when the loop hangs in the model."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from tests.sim.green_model import MODEL_FILE, build_green_package, green_manifest, write_package
from tests.sim.pictures import draw_pictures

PERIOD_S = 1.0
HEARD_WITHIN_S = 30.0


class Systemd:
    """The socket of a service manager, and a daemon started as it would start one."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self._address = folder, address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, camera: dict[str, object]) -> None:
        tree = {
            "site": "gh",
            "device": "cam",
            "state_dir": "state",
            "inference": {"package": "package"},
            "cameras": [{"name": "top", **camera}],
            "mqtt": None,
        }
        config = self.folder / "device.yaml"
        config.write_text(yaml.safe_dump(tree))
        told = {"NOTIFY_SOCKET": self._address, "WATCHDOG_USEC": str(int(PERIOD_S * 1e6)), "PYTHONFAULTHANDLER": "1"}
        command = [sys.executable, "-c", "from edge.cli import app; app()", "run", "--config", str(config)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **told}, stdout=log, stderr=log)

    def hears(self, timeout_s: float) -> str:
        """The next message; empty if none came in time."""
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def waits_for(self, message: str) -> None:
        give_up_at_s = time.monotonic() + HEARD_WITHIN_S
        while not self.hears(1.0).startswith(message):
            assert time.monotonic() < give_up_at_s, (self.folder / "log").read_text()

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._socket.close()


ABSTRACT = f"@canopy-test-{os.getpid()}"


@pytest.fixture
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    manager = Systemd(tmp_path, getattr(request, "param", "") or str(tmp_path / "notify"))
    yield manager
    manager.close()


@pytest.mark.parametrize("systemd", ["", ABSTRACT], ids=["file", "abstract"], indirect=True)
def test_a_daemon_tells_that_it_is_up_feeds_the_watchdog_and_tells_that_it_goes(systemd: Systemd) -> None:
    build_green_package(systemd.folder / "package")
    draw_pictures(systemd.folder / "pictures", 3)
    systemd.start({"source": {"kind": "folder", "path": "pictures"}})
    systemd.waits_for("READY=1")
    for _ in range(4):
        systemd.waits_for("WATCHDOG=1")
    assert systemd.process
    systemd.process.send_signal(signal.SIGTERM)
    systemd.waits_for("STOPPING=1")
    assert systemd.process.wait(10) == 0


def test_a_camera_that_gives_nothing_all_night_does_not_starve_the_watchdog(systemd: Systemd) -> None:
    build_green_package(systemd.folder / "package")
    systemd.start({"source": {"kind": "v4l2", "device": "/dev/video-that-is-not-there"}})
    systemd.waits_for("READY=1")
    heard = [systemd.hears(PERIOD_S) for _ in range(8)]
    assert "" not in heard, heard


def test_a_model_that_hangs_starves_the_watchdog(systemd: Systemd) -> None:
    package_that_hangs_on_light(systemd.folder / "package")
    pictures = systemd.folder / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "2026-05-01_08-00-00.jpg"), np.full((128, 128, 3), (40, 200, 40), np.uint8))
    quality = {"dark_below": 0, "overexposed_share": 1, "blurred_below": 0}
    systemd.start({"source": {"kind": "folder", "path": "pictures"}, "quality": quality})
    systemd.waits_for("READY=1")
    assert systemd.process
    while systemd.hears(PERIOD_S):
        pass
    assert systemd.process.poll() is None, (systemd.folder / "log").read_text()
    assert "Traceback" not in (systemd.folder / "log").read_text(), "the loop has not died, it hangs"
    assert [systemd.hears(PERIOD_S) for _ in range(2)] == ["", ""], "silent for whole periods, though it is alive"
    systemd.process.send_signal(signal.SIGABRT)
    assert systemd.process.wait(10) == -signal.SIGABRT
    assert "in infer" in (systemd.folder / "log").read_text(), "the log says where it hung"


def package_that_hangs_on_light(folder: Path) -> Path:
    """The green model, after a loop that turns hours for a picture with light in it, and not at all for a black one."""
    build_green_package(folder)
    model = onnx.load(folder / MODEL_FILE)
    graph = model.graph
    turn = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["sum", "step"], ["sum_after"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_after", TensorProto.FLOAT, []),
        ],
        [helper.make_tensor("step", TensorProto.FLOAT, [], [1.0])],
    )
    brightest = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["pixels"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["level"], to=TensorProto.INT64),
        helper.make_node("Mul", ["level", "hours"], ["turns"]),
        helper.make_node("Loop", ["turns", "", "nothing"], ["turned"], body=turn),
        helper.make_node("Mul", ["turned", "nothing"], ["still_nothing"]),
        helper.make_node("Add", ["unhurried", "still_nothing"], ["certainty"]),
    ]
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == "certainty":
                node.output[index] = "unhurried"
    graph.node.extend(brightest)
    graph.initializer.extend(
        [
            helper.make_tensor("hours", TensorProto.INT64, [], [2**40]),
            helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0]),
        ]
    )
    return write_package(folder, model.SerializeToString(), green_manifest())
