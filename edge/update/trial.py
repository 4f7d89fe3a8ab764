"""A model on trial, in a process of its own: the daemon's side."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from edge.errors import CandidateRejected, InferenceFailed
from edge.health import rss_bytes
from edge.settings import InferenceSettings
from edge.sights import Finding
from edge.update.pipe import Array, receive, send

ROOM_BYTES = 256 * 2**20
"""Beyond its budget a trial may take so much more, so that what it takes can be told, and not only that it failed."""

LOOK_EVERY_S = 0.05
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

    What it holds in memory is looked at from outside: a limit on address space would be none for CUDA, which reserves
    far more than it uses.

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
        self._within_s, self._most_bytes = answer_within_s, memory_bytes + ROOM_BYTES
        self._first: dict[str, Any] = {"package": str(package), "inference": inference.model_dump(mode="json")}
        self._ended_because = ""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
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
            with suppress(OSError):  # what was not yet sent has nobody to go to
                cast("BinaryIO", pipe).close()

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
        try:
            with self._watched():
                send(cast("BinaryIO", self._process.stdin), question, *arrays)
                header, found = receive(cast("BinaryIO", self._process.stdout))
        except (OSError, EOFError, ValueError) as error:
            raise CandidateRejected(self._ended_because or self._how_it_ended()) from error
        except InferenceFailed as error:
            raise CandidateRejected(str(error)) from error
        self.peak_bytes = max(self.peak_bytes, int(header.get("peak_bytes", 0)))
        if "error" in header:
            raise CandidateRejected(str(header["error"]))
        return header, found

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End the process if it takes too long or too much meanwhile."""
        answered = threading.Event()
        watch = threading.Thread(target=self._watch, args=(answered,), name="trial", daemon=True)
        watch.start()
        try:
            yield
        finally:
            answered.set()
            watch.join()

    def _watch(self, answered: threading.Event) -> None:
        late_at_s = time.monotonic() + self._within_s
        while not answered.wait(LOOK_EVERY_S):
            if time.monotonic() > late_at_s:
                self._ended_because = f"it gave no answer within {self._within_s:.0f} s"
            elif (held := rss_bytes(self._process.pid) or 0) > self._most_bytes:
                self._ended_because = f"it takes too much memory: it was ended at {held >> 20} MiB"
            if self._ended_because:
                self._process.kill()
                return

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            return "its process closed its pipes"
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return f"its process ended with {how}; it may have asked for more memory than there is"
