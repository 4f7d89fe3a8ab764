"""What this machine does: the network and a whole step on each runtime that it has, and durable writes."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from edge import __version__
from edge.acceptance.board import this_board
from edge.acceptance.report import Board, Speed
from edge.acceptance.speed import measure_speed
from edge.backends import open_backend
from edge.chip import Chip
from edge.clock import read_clock, utc_now
from edge.contract.message import Instant
from edge.contract.records import Observation, Outcome, TraitValue
from edge.contract.traits import VOCABULARY, expanded
from edge.errors import ModelError, PackageInvalid
from edge.golden import read_golden
from edge.outbox import Outbox
from edge.package import MEND, ModelPackage
from edge.settings import InferenceSettings, OutboxSettings

RUNTIMES: Final = ("cpu", "openvino", "cuda", "tensorrt")
COMMITS: Final = 60
COMMIT_RECORDS: Final = 50

Report = Callable[[str], None]


class RuntimeSpeed(BaseModel):
    """One runtime: how fast, or why it does not run here."""

    runtime: str
    precision: str = ""
    speed: Speed | None = None
    missing: str = ""


class WriteSpeed(BaseModel):
    """Durable appends of ``COMMIT_RECORDS`` observations, each one transaction.

    ``written_bytes_per_record`` is what the process handed to the disk (/proc/self/io), which is more than what is
    stored: every page is written into the log first, and into the file at a checkpoint. None where the kernel does not
    count.
    """

    records_per_s: float
    commit_p50_ms: float
    commit_max_ms: float
    stored_bytes_per_record: float
    written_bytes_per_record: float | None
    single_commit_p50_ms: float


class Benchmark(BaseModel):
    """A machine's figures."""

    at: Instant
    canopy: str
    package: str
    board: Board
    temperatures_c: Annotated[dict[str, float], Field(default_factory=dict)]
    throttled: bool | None
    runtimes: tuple[RuntimeSpeed, ...]
    write: WriteSpeed


def run_benchmark(settings: InferenceSettings, folder: Path, runs: int, report: Report) -> Benchmark:
    """Measure on the package's golden frames, and write below ``folder``, on whose disk results are kept.

    Raises:
        ModelError: the package cannot be used.
        StoreError: the folder cannot be written to.
    """
    package = ModelPackage.open(settings.package)
    pictures = [each.picture for each in read_golden(package)]
    if not pictures:
        raise PackageInvalid(f"{package.path} has no golden frames to measure on; {MEND}")
    runtimes = []
    for runtime in RUNTIMES:
        report(f"measuring on {runtime}")
        runtimes.append(_on(runtime, package, settings, pictures, runs))
    report("measuring durable writes")
    write = measure_writes(folder, expanded(package.manifest.traits))
    chip = Chip().read()
    return Benchmark(
        at=utc_now(),
        canopy=__version__,
        package=f"{package.manifest.name} {package.manifest.version}",
        board=this_board(),
        temperatures_c=chip.temperatures_c,
        throttled=chip.throttled,
        runtimes=tuple(runtimes),
        write=write,
    )


def _on(
    runtime: str, package: ModelPackage, settings: InferenceSettings, pictures: list[NDArray[np.uint8]], runs: int
) -> RuntimeSpeed:
    try:
        backend = open_backend(package, settings.model_copy(update={"backend": runtime}))
    except ModelError as error:
        return RuntimeSpeed(runtime=runtime, missing=str(error))
    try:
        speed = measure_speed(backend, package.manifest, pictures, runs)
    except ModelError as error:
        return RuntimeSpeed(runtime=runtime, missing=str(error))
    finally:
        backend.close()
    return RuntimeSpeed(runtime=runtime, precision=backend.precision, speed=speed)


def measure_writes(folder: Path, traits: tuple[str, ...]) -> WriteSpeed:
    """Append to a database of its own, which is gone afterwards.

    Raises:
        StoreError: the folder cannot be written to.
    """
    with tempfile.TemporaryDirectory(prefix=".canopy-benchmark-", dir=folder) as name:
        outbox = Outbox(Path(name) / "benchmark.sqlite", OutboxSettings())
        try:
            before = _written_bytes()
            taken_s = [_append(outbox, traits, COMMIT_RECORDS) for _ in range(COMMITS)]
            written, records = _written_bytes(), COMMITS * COMMIT_RECORDS
            stored = outbox.stats().bytes
            single_s = [_append(outbox, traits, 1) for _ in range(COMMITS)]
        finally:
            outbox.close()
    return WriteSpeed(
        records_per_s=round(records / sum(taken_s)),
        commit_p50_ms=round(median(taken_s) * 1e3, 2),
        commit_max_ms=round(max(taken_s) * 1e3, 2),
        stored_bytes_per_record=round(stored / records),
        written_bytes_per_record=None if before is None or written is None else round((written - before) / records),
        single_commit_p50_ms=round(median(single_s) * 1e3, 2),
    )


def _append(outbox: Outbox, traits: tuple[str, ...], count: int) -> float:
    records = [_observation(number, traits) for number in range(count)]
    began_s = time.perf_counter()
    outbox.append(records)
    return time.perf_counter() - began_s


def _observation(number: int, traits: tuple[str, ...]) -> Observation:
    values = tuple(
        TraitValue(trait=name, value=number + index / 7, unit=VOCABULARY[name].unit, method=VOCABULARY[name].method)
        for index, name in enumerate(traits)
    )
    return Observation(
        camera="benchmark",
        plot=f"P{number}",
        frame_id=number,
        clock=read_clock(),
        outcome=Outcome.MEASURED,
        traits=values,
        model="sha256:" + "ab" * 32,
    )


def _written_bytes() -> int | None:
    """What this process has caused to be written to disks (proc(5), io)."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))
    except (OSError, ValueError, StopIteration):
        return None
