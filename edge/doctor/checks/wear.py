"""How worn the flash is, where it tells.

eMMC: the kernel's ``life_time`` and ``pre_eol_info`` (JEDEC JESD84-B51, extended CSD 267 to 269). Other disks: SMART by
smartctl, where it is installed and this user may ask. SD cards have no such register.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient

REPLACE = "copy the device to a new disk or card soon: canopy buffer export, then a fresh image"
SPARE_USED = {2: "80 % of its spare blocks are used", 3: "90 % of its spare blocks are used"}
WORN_PERCENT, DEAD_PERCENT = 80, 100


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Find the disk under the database, and ask it."""
    folder = next(each for each in (patient.settings.data_dir, Path("/")) if each.exists())
    disk = disk_of(folder, patient.root)
    if disk is None:
        yield scribe.skipped("its file system lies on no disk of this machine")
        return
    about = scribe.of(disk.name)
    life, spare = disk / "device/life_time", disk / "device/pre_eol_info"
    if life.exists():
        yield emmc(about, life.read_text(encoding="ascii"), spare.read_text(encoding="ascii") if spare.exists() else "")
    else:
        yield _smart(about, disk.name)


def disk_of(folder: Path, root: Path) -> Path | None:
    """The whole disk in sysfs that holds ``folder``."""
    device = folder.stat().st_dev
    block = root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    if not block.exists():
        return None
    block = block.resolve()
    return block.parent if (block / "partition").exists() else block


def emmc(scribe: Scribe, life_time: str, pre_eol_info: str) -> Finding:
    """What the registers mean: 0x01 is up to 10 % of the life used, 0x0A up to 100 %, 0x0B is over."""
    worst = max((int(word, 16) for word in life_time.split()), default=0)
    spare = int(pre_eol_info.strip() or "0", 16)
    if not 1 <= worst <= 11:
        return scribe.skipped(f"its life-time register says {life_time.strip()!r}, which means nothing")
    told = "has outlived its guaranteed writes" if worst == 11 else f"at most {worst * 10} % of its life is used"
    if spare in SPARE_USED:
        told += f"; {SPARE_USED[spare]}"
    if worst == 11 or spare == 3:
        return scribe.fail(told, REPLACE)
    return scribe.warn(told, REPLACE) if worst * 10 > WORN_PERCENT or spare == 2 else scribe.ok(told)


def _smart(scribe: Scribe, disk: str) -> Finding:
    command = shutil.which("smartctl", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if command is None:
        return scribe.skipped("it has no life-time register (an SD card has none), and smartctl is not installed")
    try:
        done = subprocess.run(  # noqa: S603
            [command, "--json", "-H", "-A", f"/dev/{disk}"], capture_output=True, timeout=10, check=False
        )
        return smart(scribe, json.loads(done.stdout))
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return scribe.skipped(f"smartctl gives no answer: {error}")


def smart(scribe: Scribe, answer: dict[str, Any]) -> Finding:
    """What smartctl's JSON means."""
    passed = answer.get("smart_status", {}).get("passed")
    used = answer.get("nvme_smart_health_information_log", {}).get("percentage_used")
    if passed is False:
        return scribe.fail("SMART says that it is failing", REPLACE)
    if isinstance(used, int):
        told = f"{used} % of its life is used"
        if used >= DEAD_PERCENT:
            return scribe.fail(told, REPLACE)
        return scribe.warn(told, REPLACE) if used > WORN_PERCENT else scribe.ok(told)
    if passed is True:
        return scribe.ok("SMART says that it is well")
    messages = answer.get("smartctl", {}).get("messages") or [{}]
    why = str(messages[0].get("string", "no reason given"))
    return scribe.skipped(f"SMART tells nothing: {why}; run canopy doctor as root to ask")
