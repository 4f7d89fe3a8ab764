"""``canopy doctor`` finds what is broken, each thing broken for real, and says the mend."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from edge.cli import app
from edge.clock import read_clock, utc_now
from edge.contract.records import Observation, Outcome, QualityFlag
from edge.daemon import Daemon
from edge.doctor import Finding, State, run_checks
from edge.doctor.checks.time_sync import judge
from edge.doctor.checks.wear import disk_of, emmc, smart
from edge.doctor.examination import CHECKS
from edge.doctor.finding import Scribe
from edge.errors import ConfigError
from edge.lock import only_daemon_in
from edge.outbox import OUTBOX_FILE, Outbox
from edge.settings import OutboxSettings, load_settings
from tests.sim.damage import scribble
from tests.sim.green_model import build_green_package
from tests.sim.mosquitto import Mosquitto, free_port
from tests.sim.pictures import discs, soil
from tests.sim.waiting import wait_for
from tests.unit.test_chip import thermal, write


class Ward:
    """A folder with a device in good health, to be broken."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.root = folder, folder / "state", folder / "root"
        self.package = build_green_package(folder / "package")
        (folder / "pictures").mkdir()
        self.state.mkdir()
        cv2.imwrite(str(folder / "pictures" / "2026-05-01_08-00-00.png"), discs(soil(512, 512, 1), [(256, 256, 80)]))
        self.tree: dict[str, Any] = {
            "site": "gh", "device": "cam", "state_dir": "state", "mqtt": None,
            "inference": {"package": "package", "backend": "cpu"},
            "cameras": [{"name": "top", "source": {"kind": "folder", "path": "pictures"}}],
        }  # fmt: skip

    @property
    def config(self) -> Path:
        path = self.folder / "device.yaml"
        path.write_text(yaml.safe_dump(self.tree))
        return path

    def findings(self, *only: str, timeout_s: float = 20.0, root: Path = Path("/")) -> list[Finding]:
        return run_checks(load_settings(self.config), only or None, timeout_s=timeout_s, root=root)

    def worst(self, check: str, **more: Any) -> Finding:
        order = [State.SKIPPED, State.OK, State.WARN, State.FAIL]
        found = max(self.findings(check, **more), key=lambda each: order.index(each.state))
        assert bool(found.mend) == (found.state in {State.WARN, State.FAIL}), "what is wrong has a mend"
        return found

    def outbox(self) -> Outbox:
        return Outbox(self.state / OUTBOX_FILE, OutboxSettings())


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)


def canopy(*words: object) -> Any:
    return CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app, [str(word) for word in words])


def test_a_healthy_device_is_well_and_was_not_touched(ward: Ward) -> None:
    before = {path: path.stat().st_mtime_ns for path in ward.folder.rglob("*")}
    checks = [check.name for check in CHECKS if check.name not in {"daemon", "time-sync", "heat", "memory", "wear"}]
    states = {each.state for each in ward.findings(*checks)}
    assert states <= {State.OK, State.SKIPPED}
    ward.config.unlink()
    assert {path: path.stat().st_mtime_ns for path in ward.folder.rglob("*")} == before


def test_the_command_ends_with_1_only_if_something_is_wrong_and_fits_80_columns(ward: Ward) -> None:
    well = canopy("doctor", "--config", ward.config, "--only", "model", "--only", "camera")
    assert (well.exit_code, "all is well" in well.output) == (0, True)
    scribble(ward.package / "model.fp32.onnx")
    ill = canopy("doctor", "--config", ward.config, "--only", "model")
    assert (ill.exit_code, "1 wrong" in ill.output) == (1, True)
    assert max(len(line) for line in ill.output.splitlines()) <= 80
    told = json.loads(canopy("doctor", "--config", ward.config, "--only", "model", "--json").output)
    assert [(each["check"], each["state"]) for each in told] == [("model", "fail")]


def test_a_check_that_does_not_exist_is_refused(ward: Ward) -> None:
    with pytest.raises(ConfigError, match="no check liver; there are daemon, camera"):
        ward.findings("liver")


def test_a_corrupt_model(ward: Ward) -> None:
    scribble(ward.package / "model.fp32.onnx")
    found = ward.worst("model")
    assert (found.state, "altered" in found.found) == (State.FAIL, True)


def test_pictures_that_cannot_be_read(ward: Ward) -> None:
    (ward.folder / "pictures" / "2026-05-01_08-00-00.png").write_bytes(b"no picture at all")
    found = ward.worst("camera")
    assert found.state is State.FAIL
    assert {each.state for each in ward.findings("focus", "light")} == {State.SKIPPED}


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that everybody may enter, and this process without root's rights."""
    folder = Path(tempfile.mkdtemp(prefix="canopy-doctor-"))
    folder.chmod(0o755)
    yield folder
    os.seteuid(os.getuid())
    shutil.rmtree(folder)


def test_pictures_that_this_user_may_not_read(nobody: Path) -> None:
    ward = Ward(nobody)
    settings = load_settings(ward.config)
    (nobody / "pictures").chmod(0)
    if os.getuid() == 0:
        os.seteuid(65534)
    (found,) = run_checks(settings, ["camera"])
    assert (found.state, "Permission denied" in found.found) == (State.FAIL, True), found


def test_a_camera_that_takes_the_connection_and_never_answers_is_reported_in_time(ward: Ward) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"
        ward.tree["cameras"] = [{"name": "door", "source": {"kind": "rtsp", "url": url}, "read_timeout_s": 600}]
        found = ward.worst("camera", timeout_s=4.0)
    assert (found.state, found.about) == (State.FAIL, "door")
    assert "no picture within 3 s" in found.found


def test_a_check_that_hangs_is_reported_and_holds_up_no_other(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_: object) -> Iterator[Finding]:
        released.wait(60)
        return iter(())

    hanging = [CHECKS[0].__class__("disk", hang), *(check for check in CHECKS if check.name == "clock")]
    monkeypatch.setattr("edge.doctor.examination.CHECKS", tuple(hanging))
    found = ward.findings(timeout_s=0.5)
    released.set()
    assert [(each.check, each.state.value) for each in found] == [("disk", "fail"), ("clock", "ok")]
    assert "hangs" in found[0].found


def test_a_defect_of_a_check_is_told_and_hides_nothing(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.doctor.checks.heat.Chip", None)
    found = ward.findings("heat", "clock")
    assert [each.state.value for each in found] == ["ok", "fail"]
    assert "the check itself failed" in found[1].found


def test_a_blurred_and_a_dark_picture(ward: Ward) -> None:
    picture = ward.folder / "pictures" / "2026-05-01_08-00-00.png"
    sharp = cv2.imread(str(picture))
    cv2.imwrite(str(picture), cv2.GaussianBlur(sharp, (0, 0), 12))
    assert ward.worst("focus").state is State.FAIL
    cv2.imwrite(str(picture), np.zeros_like(sharp))
    assert (ward.worst("light").state, "dark" in ward.worst("light").found) == (State.WARN, True)
    cv2.imwrite(str(picture), np.full_like(sharp, 255))
    assert "overexposed" in ward.worst("light").found


def test_a_clock_that_stands_before_this_release(ward: Ward) -> None:
    if not shutil.which("faketime"):
        pytest.skip("faketime is not installed (apt-get install faketime)")
    code = (
        "import sys; from pathlib import Path; from edge.doctor import run_checks;"
        "from edge.settings import load_settings;"
        "print(*[f.state.value + ' ' + f.found for f in run_checks(load_settings(Path(sys.argv[1])), ['clock'])])"
    )
    command = ["faketime", "1970-01-02 00:00:00", sys.executable, "-c", code, str(ward.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("fail 1970-01-02"), done.stderr


def test_a_clock_that_has_fallen_behind_the_newest_record(ward: Ward) -> None:
    later = read_clock().model_copy(update={"at": utc_now() + timedelta(days=3)})
    with closing(ward.outbox()) as outbox:
        outbox.append([Observation(camera="top", plot="P", frame_id=1, clock=later, outcome=Outcome.NO_PLANT)])
    found = ward.worst("clock")
    assert (found.state, "newest record" in found.found) == (State.FAIL, True)


def test_time_that_nobody_keeps(ward: Ward) -> None:
    scribe = Scribe("time-sync")
    assert judge(scribe, synchronised=False, max_error_us=0).state is State.WARN
    assert judge(scribe, synchronised=True, max_error_us=16_000_000).state is State.WARN
    assert judge(scribe, synchronised=True, max_error_us=900).state is State.OK
    (asked,) = ward.findings("time-sync")
    assert asked.state is not State.FAIL, "the real kernel answers one or the other"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this user may not mount a tmpfs: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_a_full_disk_and_a_read_only_one(ward: Ward, small_disk: Path) -> None:
    (small_disk / "canopy").mkdir()
    ward.tree["storage"] = {"folder": str(small_disk / "canopy")}
    assert ward.worst("disk").state is State.WARN, "less than keep_free_bytes"
    (small_disk / "filler").write_bytes(b"\0" * 25_000_000)
    full = ward.worst("disk")
    assert (full.state, "free of" in full.found) == (State.FAIL, True)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "read-only" in ward.worst("disk").found


def test_a_disk_that_is_not_mounted(ward: Ward) -> None:
    ward.tree["storage"] = {"folder": str(ward.folder / "ssd" / "canopy")}
    found = ward.worst("disk")
    assert (found.state, found.found) == (State.FAIL, "is not there, and is never made")


@pytest.mark.parametrize(
    ("life", "spare", "state"),
    [("0x01 0x02", "0x01", "ok"), ("0x09 0x03", "0x01", "warn"), ("0x01 0x01", "0x02", "warn"),
     ("0x0b 0x01", "0x01", "fail"), ("0x02 0x02", "0x03", "fail"), ("0x00 0x00", "0x00", "skipped")],
)  # fmt: skip
def test_an_emmc_that_wears_out(life: str, spare: str, state: str) -> None:
    assert emmc(Scribe("wear"), life, spare).state.value == state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"smart_status": {"passed": False}}, "fail"),
        ({"smart_status": {"passed": True}, "nvme_smart_health_information_log": {"percentage_used": 3}}, "ok"),
        ({"nvme_smart_health_information_log": {"percentage_used": 91}}, "warn"),
        ({"smartctl": {"messages": [{"string": "Permission denied"}]}}, "skipped"),
        ({}, "skipped"),
    ],
)
def test_what_smartctl_says(answer: dict[str, Any], state: str) -> None:
    assert smart(Scribe("wear"), answer).state.value == state


def test_the_disk_under_a_partition_is_found_and_its_registers_read(ward: Ward) -> None:
    device = ward.state.stat().st_dev
    disk = ward.root / "sys/block/mmcblk0"
    write(disk, {"device/life_time": "0x0b 0x01", "device/pre_eol_info": "0x01", "mmcblk0p1/partition": 1})
    link = ward.root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(disk / "mmcblk0p1")
    assert disk_of(ward.state, ward.root) == disk
    assert ward.worst("wear", root=ward.root).state is State.FAIL


def test_a_hot_chip_and_one_that_is_slowed_down(ward: Ward) -> None:
    write(ward.root, thermal(0, "tj-thermal", 60_000, {"passive": 95_000}))
    assert ward.worst("heat", root=ward.root).state is State.OK
    write(ward.root, thermal(0, "tj-thermal", 90_000, {"passive": 95_000}))
    assert ward.worst("heat", root=ward.root).state is State.WARN
    write(
        ward.root,
        {"sys/class/thermal/cooling_device0/type": "cpufreq-cpu0", "sys/class/thermal/cooling_device0/cur_state": 2},
    )
    assert ward.worst("heat", root=ward.root).state is State.FAIL


def test_little_memory_and_a_kernel_that_has_killed(ward: Ward) -> None:
    write(ward.root, {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 90000 kB", "proc/vmstat": "oom_kill 0"})
    assert ward.worst("memory", root=ward.root).state is State.FAIL
    write(ward.root, {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 900000 kB", "proc/vmstat": "oom_kill 2"})
    assert "ended 2 processes" in ward.worst("memory", root=ward.root).found


def test_engines_and_keys_that_others_may_touch(ward: Ward) -> None:
    engines, key = ward.state / "engines", ward.state / "device.key"
    engines.mkdir()
    engines.chmod(0o777)
    assert "is executed" in ward.worst("permissions").found
    engines.chmod(0o700)
    key.write_text("-----BEGIN EC PRIVATE KEY-----\n")
    key.chmod(0o644)
    assert "private key that others may read" in ward.worst("permissions").found
    key.chmod(0o600)
    assert ward.worst("permissions").state is State.OK


def test_a_damaged_database_and_one_that_had_to_give_up_records(ward: Ward) -> None:
    with closing(ward.outbox()) as outbox:
        outbox.append(
            [
                Observation(camera="top", plot="P", frame_id=n, clock=read_clock(), outcome=Outcome.NO_PLANT)
                for n in range(9)
            ]
        )
    assert ward.worst("outbox").state is State.OK
    (ward.state / f"{OUTBOX_FILE}.corrupt-20260101T000000.000000Z").write_bytes(b"x")
    assert "put aside" in ward.worst("outbox").found
    scribble(ward.state / OUTBOX_FILE)
    assert ward.worst("outbox").state is State.FAIL


def test_no_broker_a_name_that_nobody_has_and_one_that_takes_the_device(ward: Ward, mosquitto: Mosquitto) -> None:
    ward.tree["mqtt"] = {"host": "127.0.0.1", "port": free_port()}
    assert "Connection refused" in ward.worst("broker").found
    ward.tree["mqtt"] = {"host": "no-such-host.invalid", "port": 1883}
    assert "no machine of that name" in ward.worst("broker").found
    ward.tree["mqtt"] = {"host": "127.0.0.1", "port": mosquitto.port}
    assert ward.worst("broker").found == "takes this device"


def test_a_broker_that_refuses_the_password(ward: Ward, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "strict", "allow_anonymous false\n")
    broker.start()
    try:
        ward.tree["mqtt"] = {"host": "127.0.0.1", "port": broker.port}
        found = ward.worst("broker")
    finally:
        broker.stop()
    assert (found.state, "refuses gh/cam" in found.found) == (State.FAIL, True)
    assert "CANOPY_MQTT_PASSWORD" in found.mend


def certificate(folder: Path, days: float) -> tuple[Path, Path]:
    """A certificate that ends ``days`` from now, and its key."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cam")]),
    )
    end = datetime.now(timezone.utc) + timedelta(days=days)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(end - timedelta(days=400)).not_valid_after(end).sign(key, hashes.SHA256())
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "device.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "device.key").write_bytes(private)
    (folder / "device.key").chmod(0o600)
    return folder / "device.pem", folder / "device.key"


@pytest.mark.parametrize(("days", "state"), [(-1, State.FAIL), (10, State.WARN), (200, State.OK)])
def test_a_certificate_that_ends(ward: Ward, days: float, state: State) -> None:
    certificate(ward.state / "identity", days)
    assert ward.worst("certificates").state is state


def test_a_certificate_that_is_cut_short(ward: Ward) -> None:
    path, _ = certificate(ward.state, 100)
    path.write_bytes(path.read_bytes()[:200])
    assert "damaged" in ward.worst("certificates").found


def test_a_broker_whose_certificate_has_expired(ward: Ward) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(ward.folder / "broker", -2))
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve_tls, args=(server, context), daemon=True)
        thread.start()
        ward.tree["mqtt"] = {"host": "127.0.0.1", "port": server.getsockname()[1]}
        found = ward.findings("broker", timeout_s=30)
    assert [each.found.split()[0] for each in found if "operator" in each.mend] == ["expired"]


def serve_tls(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = server.accept()
            with connection, context.wrap_socket(connection, server_side=True) as speaking:
                speaking.recv(1)
        except ssl.SSLError:
            continue
        except OSError:
            return


def test_an_update_root_that_has_expired(ward: Ward) -> None:
    root = ward.folder / "root.json"
    root.write_text(json.dumps({"signed": {"expires": "2026-02-01T00:00:00Z"}}))
    ward.tree["update"] = {"hardware": "onnx-cpu", "root": "root.json"}
    assert "expired 2026-02-01" in ward.worst("certificates").found


@pytest.fixture
def working(ward: Ward) -> Iterator[Callable[[], Daemon]]:
    """Starts a real daemon in a thread, and waits for its first status."""
    started: list[tuple[Daemon, threading.Thread]] = []

    def start() -> Daemon:
        daemon = Daemon(load_settings(ward.config))
        thread = threading.Thread(target=daemon.run)
        started.append((daemon, thread))
        thread.start()
        wait_for((ward.state / "status.json").exists, 20)
        return daemon

    yield start
    for daemon, thread in started:
        daemon.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_while_the_daemon_runs_it_is_asked_instead_of_its_camera(ward: Ward, working: Callable[[], Daemon]) -> None:
    ward.tree["cameras"].append({"name": "usb", "source": {"kind": "v4l2", "device": "/dev/video-gone"}})
    working()
    wait_for(lambda: ward.worst("camera").state is State.FAIL, 20)
    found = ward.worst("camera")
    assert (found.about, "/dev/video-gone" in found.found) == ("usb", True)
    assert ward.worst("daemon").state is State.OK


def test_a_daemon_whose_readings_are_blurred_is_told_by_its_readings(ward: Ward) -> None:
    blurred = [
        Observation(
            camera="top", plot="P", frame_id=n, clock=read_clock(), outcome=Outcome.NOT_TAKEN,
            quality=(QualityFlag.BLURRED,),
        )
        for n in range(8)
    ]  # fmt: skip
    with closing(ward.outbox()) as outbox, only_daemon_in(ward.state):
        outbox.append(blurred)
        assert ward.worst("focus").found == "100% of the last 8 readings were blurred"
        assert ward.worst("daemon").state is State.FAIL, "somebody holds the lock and says nothing"
