"""What the board says of its heat, its clocks and its power. Reads files alone, so that an ordinary user may.

Every path is below ``root``, which a test sets to a folder of its own. Sources: the kernel's
Documentation/driver-api/thermal/sysfs-api.rst, admin-guide/pm/cpufreq.rst and ABI/testing/sysfs-class-devfreq; NVIDIA
Jetson Linux Developer Guide, "Platform Power and Performance, Jetson Orin" (GPU devfreq, ``oc*_event_cnt``, nvpmodel);
Raspberry Pi documentation, "vcgencmd get_throttled"; arch/x86/kernel/cpu/mce/therm_throt.c (``*_throttle_count``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_FILES: Final = 64
"""Of one kind; a board with more sensors is read in part."""

TRIPS: Final = ("passive",)
"""At such a trip point the kernel begins to slow the chip down; ``active`` ones start fans."""

CPU_CLOCKS: Final = "sys/devices/system/cpu/cpufreq/policy*/scaling_cur_freq"
DEVICE_CLOCKS: Final = "sys/class/devfreq/*/cur_freq"
GPU: Final = re.compile(r"gpu|ga10b|gv11b|gp10b|v3d")
"""Names of the GPU among devfreq's devices: Orin (JetPack 6, 5), Xavier, TX2, Raspberry Pi."""

COOLING: Final = re.compile(r"cpufreq|devfreq|processor|throttle-alert", re.IGNORECASE)
"""Cooling devices that slow the chip down; fans cool, too, and are not among them."""

EVENT_COUNTERS: Final = (
    "sys/class/hwmon/hwmon*/oc*_event_cnt",
    "sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count",
    "sys/devices/system/cpu/cpu*/thermal_throttle/package_throttle_count",
)
"""They count up with each throttling: Jetson's over-current events, x86's heat."""

PI_FLAGS: Final = "sys/devices/platform/soc/soc:firmware/get_throttled"
PI_NOW: Final = 0xF
"""Under-voltage, frequency capped, throttled, soft temperature limit; the same bits from 16 on tell of the past."""

NVPMODEL_STATUS: Final = "var/lib/nvpmodel/status"
NVPMODEL_TABLE: Final = "etc/nvpmodel.conf"


@dataclass(frozen=True, slots=True)
class ChipState:
    """The board at one moment.

    Attributes:
        temperatures_c: by the zone's type, in °C.
        headroom_c: how far the zone that is nearest to it stays below its passive trip point, in K; None without any.
        clocks_mhz: by the clock's name.
        power_mode: of a Jetson, like ``15W``; None elsewhere.
        throttled: whether the chip runs slower than it could; None if it does not tell.
    """

    temperatures_c: dict[str, float] = field(default_factory=dict)
    headroom_c: float | None = None
    clocks_mhz: dict[str, float] = field(default_factory=dict)
    power_mode: str | None = None
    throttled: bool | None = None


class Chip:
    """The board's sensors; keeps what its event counters stood at, since only their rise tells of now."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._counted = self._count_events()

    def read(self) -> ChipState:
        """How it is now; what does not answer is left out."""
        temperatures_c, headrooms_c = self._heat()
        return ChipState(
            temperatures_c=temperatures_c,
            headroom_c=min(headrooms_c, default=None),
            clocks_mhz=self._clocks_mhz(),
            power_mode=power_mode(self._root),
            throttled=self._throttled(),
        )

    def _heat(self) -> tuple[dict[str, float], list[float]]:
        temperatures_c: dict[str, float] = {}
        headrooms_c: list[float] = []
        for zone in _found(self._root, "sys/class/thermal/thermal_zone*"):
            name, millidegrees = _text(zone / "type"), _number(zone / "temp")
            if name is None or millidegrees is None:
                continue
            temperatures_c[name] = millidegrees / 1000
            headrooms_c += [(trip - millidegrees) / 1000 for trip in _passive_trips(zone)]
        return temperatures_c, headrooms_c

    def _clocks_mhz(self) -> dict[str, float]:
        clocks: dict[str, float] = {}
        for path in _found(self._root, CPU_CLOCKS):
            kilohertz = _number(path)
            if kilohertz is not None:
                clocks[f"cpu-{path.parent.name}"] = kilohertz / 1e3
        for path in _found(self._root, DEVICE_CLOCKS):
            hertz = _number(path)
            if hertz is not None and GPU.search(path.parent.name):
                clocks["gpu"] = hertz / 1e6
        return clocks

    def _throttled(self) -> bool | None:
        cooling = [
            state > 0
            for device in _found(self._root, "sys/class/thermal/cooling_device*")
            if COOLING.search(_text(device / "type") or "") and (state := _number(device / "cur_state")) is not None
        ]
        flags = _text(self._root / PI_FLAGS)
        pi = [bool(int(flags, 16) & PI_NOW)] if flags and re.fullmatch(r"(0x)?[0-9a-fA-F]{1,8}", flags) else []
        before, self._counted = self._counted, self._count_events()
        events = [count > before.get(path, count) for path, count in self._counted.items()]
        told = [*cooling, *pi, *events]
        return any(told) if told else None

    def _count_events(self) -> dict[Path, float]:
        counts = {path: _number(path) for pattern in EVENT_COUNTERS for path in _found(self._root, pattern)}
        return {path: count for path, count in counts.items() if count is not None}


def power_mode(root: Path = Path("/")) -> str | None:
    """The power mode of a Jetson by its name, or its number where the table does not name it; None elsewhere."""
    status = re.search(r"pmode:(\d{1,6})", _text(root / NVPMODEL_STATUS) or "")
    if status is None:
        return None
    number = int(status[1])
    table = _text(root / NVPMODEL_TABLE, 1_000_000) or ""
    named = re.search(rf"POWER_MODEL\s+ID={number}\s+NAME=(\S{{1,64}})", table)
    return named[1] if named else f"mode {number}"


def _passive_trips(zone: Path) -> Iterator[float]:
    for kind in _found(zone, "trip_point_*_type"):
        trip = _number(kind.with_name(kind.name.replace("_type", "_temp")))
        if _text(kind) in TRIPS and trip is not None and trip > 0:
            yield trip


def _found(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))[:MAX_FILES]


def _text(path: Path, limit: int = 256) -> str | None:
    try:
        with path.open("r", encoding="utf-8") as file:
            return file.read(limit).strip("\0\n ")
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> float | None:
    try:
        return float(_text(path) or "")
    except ValueError:
        return None
