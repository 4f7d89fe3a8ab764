"""What this machine would run engines on, found out in a process of its own.

Nothing here asks the GPU directly: without a driver TensorRT gives objects that crash the process on their next call,
and a CUDA context once made stays with its process.
"""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.errors import BackendMissing

TENSORRT: Final = "tensorrt"
"""JetPack's module. Another one with its interface can be named, such as TensorRT-RTX's ``tensorrt_rtx_bindings``."""

TIMEOUT_S: Final = 60.0
NO_GPU: Final = "none"

_L4T = re.compile(r"R(\d+) \(release\), REVISION: ([\d.]+)")


class Machine(BaseModel):
    """Everything about a machine that decides whether an engine runs, and runs well, on it.

    Attributes:
        sku: the board, or the GPU where there is no board, and how many multiprocessors it has.
        sm: compute capability, like 8.7.
        l4t: release of Jetson Linux; empty elsewhere.
        tensorrt: the library and its version.
        cuda: the version that the driver speaks.
    """

    model_config = ConfigDict(frozen=True)

    sku: str
    sm: str
    l4t: str
    tensorrt: str
    cuda: str

    def differences(self, other: "Machine") -> list[str]:
        """What has changed from this machine to ``other``, for people."""
        return [
            f"{name} {getattr(self, name) or 'none'} → {getattr(other, name) or 'none'}"
            for name in Machine.model_fields
            if getattr(self, name) != getattr(other, name)
        ]


def this_machine(library: str = TENSORRT, *, gpu_required: bool = True) -> Machine:
    """Ask a process of its own what ``library`` and CUDA find here.

    Raises:
        BackendMissing: one of them is not there, sees no GPU, or crashed.
    """
    found = _probe(library, gpu_required)
    if isinstance(found, str):
        raise BackendMissing(found)
    return found


def missing() -> str | None:
    """Why TensorRT cannot run on this machine; None if it can."""
    if find_spec(TENSORRT) is None:
        return "TensorRT is not installed (a Jetson has it from JetPack: apt install python3-libnvinfer)"
    found = _probe(TENSORRT, gpu_required=True)
    return found if isinstance(found, str) else None


_known: dict[tuple[str, bool], Machine] = {}
"""What was found does not change while a process lives; what was missing may come, such as a driver that loads late."""


def _probe(library: str, gpu_required: bool) -> Machine | str:
    """The machine, or why there is none."""
    asked = (library, gpu_required)
    if asked not in _known:
        found = _ask(library, gpu_required)
        if isinstance(found, str):
            return found
        _known[asked] = found
    return _known[asked]


def _ask(library: str, gpu_required: bool) -> Machine | str:
    command = [sys.executable, "-m", "edge.engine.probe", library, "gpu" if gpu_required else "any"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"{library} and CUDA gave no answer within {TIMEOUT_S:.0f} s; restart the device"
    except OSError as error:
        return f"the probe for {library} cannot be started: {error}; free memory and try again"
    if done.returncode < 0:
        return f"{library} crashed with signal {-done.returncode} when it was asked for its version; reinstall it"
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
        return answer["missing"] if "missing" in answer else Machine.model_validate(answer)
    except (IndexError, KeyError, TypeError, ValueError, ValidationError):
        return f"the probe for {library} failed: {done.stderr[-300:].strip() or 'no output'}"


def board() -> str:
    """The board's own name; empty where the firmware gives none."""
    try:
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0\n ")
    except (OSError, UnicodeDecodeError):
        return ""


def l4t_release(text: str | None = None) -> str:
    """Release of Jetson Linux, like 36.4.0, from what /etc/nv_tegra_release says; empty elsewhere."""
    if text is None:
        try:
            text = Path("/etc/nv_tegra_release").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""
    found = _L4T.search(text)
    return f"{found[1]}.{found[2]}" if found else ""
