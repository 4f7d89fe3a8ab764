"""What machine this is, and what it draws."""

import os
import platform
import threading
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Final

from typing_extensions import Self

from edge.acceptance.report import Board
from edge.chip import power_mode
from edge.engine.machine import l4t_release
from edge.health import hardware

HWMON: Final = Path("/sys/class/hwmon")
MAX_RAILS: Final = 32
SAMPLE_EVERY_S: Final = 0.1


def this_board() -> Board:
    """The machine, as far as it says."""
    import onnxruntime  # noqa: PLC0415  heavy, and wanted here only

    return Board(
        hardware=hardware(),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        l4t=l4t_release(),
        power_mode=power_mode() or "",
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        python=platform.python_version(),
        onnxruntime=onnxruntime.__version__,
    )


def rails_w(hwmon: Path = HWMON) -> dict[str, float]:
    """What each rail draws now, in W: INA3221 and its kin give millivolts and milliamperes, others microwatts."""
    found: dict[str, float] = {}
    for chip in sorted(hwmon.glob("hwmon*")):
        for label in sorted(chip.glob("in*_label"))[:MAX_RAILS]:
            number = label.name.removeprefix("in").removesuffix("_label")
            millivolts = _number(chip / f"in{number}_input")
            milliamperes = _number(chip / f"curr{number}_input")
            if millivolts is not None and milliamperes is not None:
                found[_text(label)] = millivolts * milliamperes / 1e6
        microwatts = _number(chip / "power1_input")
        if microwatts is not None:
            found[_text(chip / "power1_label") or _text(chip / "name")] = microwatts / 1e6
    return found


class PowerMeter:
    """Reads the rails ten times a second while its block runs.

    Attributes:
        mean_w: by rail, once the block has ended; empty where there are none.
    """

    def __init__(self, hwmon: Path = HWMON) -> None:
        self.mean_w: dict[str, float] = {}
        self._hwmon = hwmon
        self._readings: dict[str, list[float]] = defaultdict(list)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="power", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.mean_w = {rail: round(sum(each) / len(each), 3) for rail, each in sorted(self._readings.items())}

    def _read(self) -> None:
        while True:
            for rail, power_w in rails_w(self._hwmon).items():
                self._readings[rail].append(power_w)
            if not self._readings or self._stop.wait(SAMPLE_EVERY_S):
                return


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()[:64]
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
