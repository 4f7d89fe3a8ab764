"""A model on trial, in a process of its own: the daemon's side."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from edge.errors import CandidateRejected, InferenceFailed
from edge.settings import InferenceSettings
from edge.sights import Finding
from edge.update.pipe import Array, receive, send

ROOM_BYTES = 512 * 2**20
"""Beyond its budget a trial may take so much more, so that what it takes can be told, and not only that it failed."""

ENDS_WITHIN_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """How the golden frames came out: how many there are, how many show plants, and the names of those that differ."""

    frames: int
    with_plants: int
    apart: tuple[str, ...]


class Trial:
    """Runs a package's model beside the daemon, never in it. ``close`` ends it.

    Args:
        package: its folder.
        inference: how the daemon would run it.
        memory_bytes: what it is to get along with.
        answer_within_s: how long one answer may take; loading is one.
    """

    def __init__(
        self, package: Path, inference: InferenceSettings, memory_bytes: int, answer_within_s: float = 60.0
    ) -> None:
        self.peak_bytes = 0
        self._within_s = answer_within_s
        self._first: dict[str, Any] = {
            "package": str(package),
            "inference": inference.model_dump(mode="json"),
            "limit_bytes": memory_bytes + ROOM_BYTES,
        }
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge.update.trial_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def load(self) -> str:
        """Load the graph and run it once; what runs it.

        Raises:
            CandidateRejected: it cannot be loaded or run. So do all that follow.
        """
        return str(self._ask({"do": "load", **self._first})[0]["backend"])

    def golden(self) -> GoldenResult:
        """Run the package's golden frames."""
        header, _ = self._ask({"do": "golden", **self._first})
        return GoldenResult(int(header["frames"]), int(header["with_plants"]), tuple(header["apart"]))

    def latency_ms(self, runs: int) -> float:
        """The fastest of several runs of the network."""
        return float(self._ask({"do": "time", "runs": runs, **self._first})[0]["latency_ms"])

    def look(self, picture: Array) -> Finding:
        """What it finds in a picture, uint8 [h, w, 3]."""
        header, arrays = self._ask({"do": "look", **self._first}, picture)
        try:
            classes, plant = arrays
            counts = {str(name): int(count) for name, count in header["counts"].items()}
            return Finding(tuple(header["class_names"]), classes, plant.astype(np.bool_), counts)
        except (KeyError, ValueError, AttributeError) as error:
            raise CandidateRejected(f"its answer cannot be read: {error}") from error

    def _ask(self, question: dict[str, Any], *arrays: Array) -> tuple[dict[str, Any], list[Array]]:
        late = threading.Event()
        try:
            with self._killed_after(self._within_s, late):
                send(cast("BinaryIO", self._process.stdin), question, *arrays)
                header, found = receive(cast("BinaryIO", self._process.stdout))
        except (OSError, EOFError, ValueError) as error:
            raise CandidateRejected(self._why_it_ended(late=late.is_set())) from error
        except InferenceFailed as error:
            raise CandidateRejected(str(error)) from error
        self.peak_bytes = max(self.peak_bytes, int(header.get("peak_bytes", 0)))
        if "error" in header:
            raise CandidateRejected(str(header["error"]))
        return header, found

    @contextmanager
    def _killed_after(self, within_s: float, late: threading.Event) -> Iterator[None]:
        def kill() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(within_s, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _why_it_ended(self, *, late: bool) -> str:
        if late:
            return f"it gave no answer within {self._within_s:.0f} s"
        try:
            code = self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            return "its process closed its pipes"
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return f"its process ended with {how}; it may have asked for more memory than there is"
