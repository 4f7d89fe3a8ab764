"""The doing of the ladder: real processes that hang, a sysfs of plain files, a budget that outlives restarts."""

import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from edge.clock import utc_now
from edge.recovery.book import BOOK_FILE, Book, Reboot, read_book, why_no_reboot
from edge.recovery.commands import Ending, run_within
from edge.recovery.ladder import Rung
from edge.recovery.repairs import Patient, Repairs
from edge.recovery.usb import reconnect, usb_device_of
from edge.settings import CameraSettings, RebootSettings

DAY_S = 86_400.0
LONG_S = 60.0
NEVER = threading.Event()


def camera(name="top", **recovery) -> CameraSettings:
    return CameraSettings(name=name, source={"kind": "v4l2", "device": 0}, recovery=recovery)


class Recorder:
    """Runs nothing, and remembers what it was to run."""

    def __init__(self, ok=True):
        self.commands = []
        self._ok = ok

    def __call__(self, command, timeout_s, stopping):
        self.commands.append(command)
        return Ending(self._ok, "said something")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_hangs_is_killed_with_all_that_it_started(tmp_path):
    pids = tmp_path / "pids"
    script = f"echo $$ > {pids}; sleep 600 & echo $! >> {pids}; echo working; wait"
    ending = run_within(["/bin/sh", "-c", script], 0.5, NEVER)
    assert ending == Ending(ok=False, words="it had not ended after 0.5 s and was killed")
    deadline_s = time.monotonic() + LONG_S
    while any(alive(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_command_whose_child_keeps_its_output_open_is_not_waited_for(tmp_path):
    assert run_within(["/bin/sh", "-c", "sleep 600 & echo done"], LONG_S, NEVER) == Ending(ok=True, words="done")


def test_a_command_that_says_without_end_fills_no_memory_and_is_killed():
    ending = run_within(["/usr/bin/yes"], 0.5, NEVER)
    assert not ending.ok
    assert len(ending.words) < 600


def test_a_command_ends_with_the_daemon():
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()
    assert run_within(["/bin/sleep", "600"], LONG_S, stopping).words == "the daemon was stopped meanwhile"


def test_a_command_that_fails_or_is_not_there_says_so():
    assert run_within(["/bin/sh", "-c", "exit 3"], LONG_S, NEVER) == Ending(ok=False, words="it ended with 3")
    assert "does not start" in run_within(["/no/such/tool"], LONG_S, NEVER).words


def test_each_rung_is_counted_and_outlives_the_daemon(tmp_path):
    repairs, run = Repairs(tmp_path, Recorder()), camera(service="nvargus-daemon")
    for rung in (Rung.REOPEN, Rung.REOPEN, Rung.REBUILD, Rung.SERVICE):
        assert repairs.perform(rung, Patient(run), NEVER).ok
    assert repairs.counts("top") == {"reopen": 2, "rebuild": 1, "service": 1}
    assert Repairs(tmp_path).counts("top") == {"reopen": 2, "rebuild": 1, "service": 1}


def test_a_service_is_restarted_once_for_two_cameras_that_hang_on_it(tmp_path):
    run = Recorder()
    repairs = Repairs(tmp_path, run)
    for name in ("left", "right"):
        assert repairs.perform(Rung.SERVICE, Patient(camera(name, service="nvargus-daemon")), NEVER).ok
    assert run.commands == [["systemctl", "--no-ask-password", "restart", "nvargus-daemon.service"]]


def test_a_repair_of_one_camera_keeps_no_other_from_being_opened_again(tmp_path):
    entered, leave = threading.Event(), threading.Event()

    def hang(command, timeout_s, stopping):
        entered.set()
        leave.wait(LONG_S)
        return Ending(ok=True, words="")

    repairs = Repairs(tmp_path, hang)
    patient = Patient(camera("left", service="nvargus-daemon"))
    slow = threading.Thread(target=repairs.perform, args=(Rung.SERVICE, patient, NEVER))
    slow.start()
    assert entered.wait(LONG_S)
    assert repairs.perform(Rung.REOPEN, Patient(camera("right")), NEVER).ok
    assert slow.is_alive()
    leave.set()
    slow.join(LONG_S)


def test_power_is_cycled_by_the_hub_or_by_a_command_of_ones_own_whose_words_stay_out_of_the_events(tmp_path):
    run = Recorder()
    repairs = Repairs(tmp_path, run)
    own = camera(power={"kind": "command", "command": ["/usr/local/bin/poe", "--password", "s3cret", "7"]})
    hub = camera(power={"kind": "uhubctl", "hub": "1-1.4", "port": 2})
    told = [repairs.perform(Rung.POWER, Patient(each), NEVER).words for each in (own, hub)]
    assert run.commands[0][-1] == "7"
    assert run.commands[1] == ["uhubctl", "-a", "cycle", "-l", "1-1.4", "-p", "2"]
    assert "s3cret" not in str(told)
    assert "s3cret" not in own.model_dump_json()


def usb_tree(root: Path) -> Path:
    device = root / "devices/pci0000:00/usb1/1-1/1-1.4"
    (device / "1-1.4:1.0/video4linux/video3").mkdir(parents=True)
    for folder in (device, device.parent):
        (folder / "authorized").write_text("1")
    (root / "class/video4linux/video3").mkdir(parents=True)
    (root / "class/video4linux/video3/device").symlink_to(device / "1-1.4:1.0")
    return device


def test_a_usb_camera_is_taken_off_its_bus_and_on_again(tmp_path):
    device = usb_tree(tmp_path)
    assert usb_device_of(Path("/dev/video3"), tmp_path) == device
    assert usb_device_of(Path("/dev/video9"), tmp_path) is None
    repairs = Repairs(tmp_path, Recorder())
    patient = Patient(camera(power={"kind": "usb"}), device)
    stopped = threading.Event()
    stopped.set()
    assert repairs.perform(Rung.POWER, patient, stopped).ok
    assert (device / "authorized").read_text() == "1"
    assert (device.parent / "authorized").read_text() == "1"
    gone = reconnect(tmp_path / "nowhere", stopped)
    assert not gone.ok
    assert "udev" in gone.words


def reboot(hours_ago: float, *, boot_id="before", clock_ok=True) -> Reboot:
    return Reboot(at=utc_now() - timedelta(hours=hours_ago), clock_ok=clock_ok, boot_id=boot_id)


@pytest.mark.parametrize(
    ("former", "uptime_s", "others_work", "refusal"),
    [
        ([], 2 * DAY_S, False, ""),
        ([], 2 * DAY_S, True, "another camera"),
        ([], 700.0, False, "700 s only"),
        ([reboot(5)], 7200.0, False, "1 times in a day"),
        ([reboot(25)], 7200.0, False, ""),
        ([reboot(25, clock_ok=False)], 7200.0, False, "1 times in a day"),
        ([reboot(25, clock_ok=False)], DAY_S, False, ""),
        ([reboot(-500)], 7200.0, False, "1 times in a day"),
        ([reboot(-500)], DAY_S, False, ""),
        ([reboot(5, boot_id="now")], DAY_S, False, "1 times in a day"),
    ],
)
def test_the_machine_is_restarted_within_a_budget_that_no_wrong_clock_widens(former, uptime_s, others_work, refusal):
    book = Book(reboots=tuple(former))
    now = reboot(0, boot_id="now")
    why = why_no_reboot(RebootSettings(), book, now, uptime_s=uptime_s, others_work=others_work)
    assert refusal in why
    assert bool(why) == bool(refusal)


def test_a_restart_is_on_the_disk_before_it_is_asked_for_and_the_budget_holds_after_it(tmp_path):
    run = Recorder()
    patient = Patient(camera(reboot={"per_day": 1}))
    assert Repairs(tmp_path, run, lambda: 2 * DAY_S).perform(Rung.REBOOT, patient, NEVER).ok
    assert run.commands == [["systemctl", "--no-ask-password", "reboot"]]
    assert len(read_book(tmp_path).reboots) == 1
    again = Repairs(tmp_path, run, lambda: 7200.0).perform(Rung.REBOOT, patient, NEVER)
    assert not again.ok
    assert len(run.commands) == 1


def test_no_restart_without_leave_nor_with_a_book_that_cannot_be_written(tmp_path):
    run = Recorder()
    assert not Repairs(tmp_path, run, lambda: 2 * DAY_S).perform(Rung.REBOOT, Patient(camera()), NEVER).ok
    away = tmp_path / "away"
    away.mkdir()
    repairs = Repairs(away, run, lambda: 2 * DAY_S)
    (away / BOOK_FILE).unlink(missing_ok=True)
    away.rmdir()
    assert "written down" in repairs.perform(Rung.REBOOT, Patient(camera(reboot={})), NEVER).words
    assert run.commands == []


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 2_000_000, os.urandom(512)])
def test_a_damaged_book_forgets_counts_and_widens_no_budget(tmp_path, damage):
    (tmp_path / BOOK_FILE).write_bytes(damage)
    run = Recorder()
    repairs = Repairs(tmp_path, run, lambda: 7200.0)
    assert repairs.counts("top") == {}
    assert not repairs.perform(Rung.REBOOT, Patient(camera(reboot={})), NEVER).ok
    assert run.commands == []
