"""The builder's process: started, bounded, watched, and ended if it takes too much.

How its memory is bounded, and why so. A limit on address space (RLIMIT_AS) is none for CUDA, which reserves far more
than it uses. A control group needs rights that a daemon has not, and on a Jetson does not see what the GPU takes of the
memory that both share. So the process offers itself first to the kernel's out-of-memory killer, TensorRT gets a limit
for its workspace, and here its resident memory and what the whole machine has left are looked at all the time.
"""

import json
import logging
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from edge.backends import Report
from edge.engine.build import REFUSED, BuildOrder
from edge.errors import BuildFailed

LOOK_EVERY_S: Final = 0.2
REPORT_EVERY_S: Final = 5.0
LEAST_FREE_BYTES: Final = 256 * 2**20
"""Left for the daemon and the rest of the machine."""

MAX_SHARE: Final = 0.99
"""Until it has succeeded."""

END: Final = ""
"""Stands behind the last line."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a build is ended."""

    memory_bytes: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Built:
    """What a build took."""

    duration_s: float
    peak_rss_bytes: int


def run_build(order: BuildOrder, limits: Limits, estimate_s: float | None, report: Report) -> Built:
    """Build in a process of its own, telling ``report`` at least every five seconds that it goes on.

    Args:
        order: what to build.
        limits: when to end it.
        estimate_s: how long it may take, if anybody knows.
        report: told of progress.

    Raises:
        BuildFailed: TensorRT refused, the process crashed, or it went beyond its limits.
    """
    watch = _Watch(order, limits, estimate_s, report)
    with _worker(order) as (process, lines, stderr):
        while not watch.ended:
            watch.hear(lines, process.pid)
        code = process.wait()
        if code != 0:
            raise BuildFailed(_explain(order, code, watch.refused, stderr))
    return Built(watch.elapsed_s, watch.peak_rss_bytes)


@contextmanager
def _worker(order: BuildOrder) -> Iterator[tuple["subprocess.Popen[bytes]", "queue.SimpleQueue[str]", IO[str]]]:
    """The process, what it says line by line, and its stderr; it does not outlive the block."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
        command = [sys.executable, "-m", "edge.engine.build"]
        try:
            process = subprocess.Popen(  # noqa: S603
                command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )
        except OSError as error:
            raise BuildFailed(f"the builder cannot be started: {error}; free memory and try again") from error
        with process:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  both are pipes
            reader = threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True)
            reader.start()
            try:
                with suppress(BrokenPipeError):  # it has died already; how, shows below
                    process.stdin.write(order.model_dump_json().encode() + b"\n")
                yield process, lines, stderr
            finally:
                process.kill()
                reader.join()


def _read_lines(source: IO[bytes], lines: "queue.SimpleQueue[str]") -> None:
    for line in source:
        lines.put(line.decode("utf-8", "replace"))
    lines.put(END)


@dataclass
class _Watch:
    """Listens to a build, passes on what it tells, and objects when it takes too much."""

    order: BuildOrder
    limits: Limits
    estimate_s: float | None
    report: Report
    refused: str = ""
    ended: bool = False
    peak_rss_bytes: int = 0
    started_s: float = field(default_factory=time.monotonic)
    _share: float = 0.0
    _doing: str = "starting"
    _next_report_s: float = 0.0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started_s

    def hear(self, lines: "queue.SimpleQueue[str]", pid: int) -> None:
        """Take what was said within a moment, and look at memory and time."""
        try:
            self._take(lines.get(timeout=LOOK_EVERY_S))
            while not lines.empty():
                self._take(lines.get())
        except queue.Empty:
            pass
        if time.monotonic() >= self._next_report_s:
            self._next_report_s = time.monotonic() + REPORT_EVERY_S
            self.report(min(MAX_SHARE, self._share), f"building the engine: {self._doing}, {self._when()}")
        self._check(pid)

    def _take(self, line: str) -> None:
        if line == END:
            self.ended = True
            return
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            log.debug("the builder said %r", line[:200])
            return
        self.refused = str(said.get("refused", self.refused))
        self.peak_rss_bytes = int(said.get("peak_rss_bytes", self.peak_rss_bytes))
        if "doing" in said:
            if said["doing"] != self._doing:
                self._next_report_s = min(self._next_report_s, time.monotonic())
            self._share, self._doing = float(said["share"]), str(said["doing"])

    def _when(self) -> str:
        about = f" of about {_minutes(self.estimate_s)}" if self.estimate_s else ""
        return f"{_minutes(self.elapsed_s)}{about}"

    def _check(self, pid: int) -> None:
        rss_bytes = _resident_bytes(pid)
        self.peak_rss_bytes = max(self.peak_rss_bytes, rss_bytes)
        if rss_bytes > self.limits.memory_bytes:
            raise BuildFailed(
                f"building an engine of {self.order.onnx} took {rss_bytes >> 20} MiB, "
                f"{self.limits.memory_bytes >> 20} are allowed; raise inference.engine.build_memory_bytes"
            )
        free_bytes = available_bytes()
        if free_bytes is not None and free_bytes < LEAST_FREE_BYTES:
            raise BuildFailed(
                f"building an engine of {self.order.onnx} left {free_bytes >> 20} MiB of memory to the machine; "
                "end other programs, or lower inference.engine.workspace_bytes"
            )
        if self.elapsed_s > self.limits.timeout_s:
            raise BuildFailed(
                f"building an engine of {self.order.onnx} took more than {_minutes(self.limits.timeout_s)}; "
                "raise inference.engine.build_timeout_s"
            )


def _explain(order: BuildOrder, code: int, refused: str, stderr: IO[str]) -> str:
    if code == REFUSED and refused:
        return f"{refused}; run canopy-export compat on it"
    stderr.seek(0)
    said = stderr.read()[-500:].strip() or "nothing"
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    memory = "; most often that means that no memory was left" if -code == signal.SIGKILL else ""
    return f"the builder of {order.onnx} {how}{memory}; it said: {said}"


def _resident_bytes(pid: int) -> int:
    """Memory that a process holds; 0 once it has ended."""
    return _field(Path(f"/proc/{pid}/status"), "VmRSS:") or 0


def available_bytes() -> int | None:
    """Memory that the machine could still give, its GPU's included where they share it; None if it does not say."""
    return _field(Path("/proc/meminfo"), "MemAvailable:")


def _field(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _minutes(duration_s: float) -> str:
    return f"{duration_s:.0f} s" if duration_s < 90 else f"{duration_s / 60:.0f} min"
