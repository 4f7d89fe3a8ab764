"""The acceptance of one package on this machine, step by step."""

import os
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge import __version__
from edge.acceptance.board import PowerMeter, rails_w, this_board
from edge.acceptance.checks import golden_check, trait_checks, turned
from edge.acceptance.report import Acceptance, Check, EngineMade, Load
from edge.acceptance.speed import measure_speed
from edge.backends import Backend, Report, open_backend, prepare
from edge.chip import Chip
from edge.clock import utc_now
from edge.engine.cache import Engine
from edge.engine.engine import EngineShop, Graph
from edge.engine.process import available_bytes
from edge.errors import PackageInvalid
from edge.golden import read_golden
from edge.health import peak_rss_bytes, rss_bytes
from edge.package import MEND, ModelPackage
from edge.settings import InferenceSettings

IDLE_S = 1.0

Picture = NDArray[np.uint8]


def accept(settings: InferenceSettings, pictures: Sequence[Picture], runs: int, report: Report) -> Acceptance:
    """Build what has to be built, compare, and measure.

    Args:
        settings: the package, and what shall run it.
        pictures: further pictures to compare on, uint8 [h, w, 3] BGR; the golden frames are always among them.
        runs: how often the model runs for each figure.
        report: told of progress.

    Raises:
        ModelError: the package cannot be used, or what shall run it cannot be opened.
    """
    package = ModelPackage.open(settings.package)
    golden = list(read_golden(package))
    shown = [*turned([each.picture for each in golden]), *pictures]
    if not shown:
        raise PackageInvalid(f"{package.path} has no golden frames, and no pictures were given; {MEND}")
    with PowerMeter() as idle:
        time.sleep(IDLE_S if rails_w() else 0)
    began_at, free_before = utc_now(), available_bytes()
    prepare(package, settings, lambda share, doing: report(share / 2, doing))
    report(0.5, "opening the model")
    backend = open_backend(package, settings)
    try:
        report(0.55, "comparing with the golden frames and with the CPU")
        golden_found = golden_check(backend, package.manifest, golden)
        with PowerMeter() as busy:
            report(0.6, "measuring")
            speed = measure_speed(backend, package.manifest, shown, runs)
        free_after = available_bytes()
        load = Load(
            rss_bytes=rss_bytes(),
            peak_rss_bytes=peak_rss_bytes(),
            machine_used_bytes=None if free_before is None or free_after is None else max(0, free_before - free_after),
            idle_power_w=idle.mean_w,
            power_w=busy.mean_w,
            temperatures_c=Chip().read().temperatures_c,
        )
        report(0.8, "comparing its traits with the CPU's")
        traits = _against_cpu(backend, package, settings, shown)
    finally:
        backend.close()
    engine = _engine(backend, package, settings)
    report(1.0, "done")
    return Acceptance(
        at=utc_now(),
        canopy=__version__,
        package=f"{package.manifest.name} {package.manifest.version}",
        digest=package.digest,
        backend=backend.name,
        precision=backend.precision,
        passed_over=backend.passed_over,
        board=this_board(),
        engine=engine and _told(engine, built_now=engine.sidecar.built_at >= began_at),
        checks=(golden_found, *traits),
        speed=speed,
        load=load,
    )


def _against_cpu(
    backend: Backend, package: ModelPackage, settings: InferenceSettings, pictures: Sequence[Picture]
) -> list[Check]:
    """The same file on the CPU is the reference; what runs there already has none."""
    if backend.runtime == "cpu":
        return []
    here = {"backend": "cpu", "precision": backend.precision, "threads": len(os.sched_getaffinity(0))}
    reference = open_backend(package, settings.model_copy(update=here))
    return trait_checks(backend, reference, package.manifest, pictures)


def _engine(backend: Backend, package: ModelPackage, settings: InferenceSettings) -> Engine | None:
    if backend.runtime != "tensorrt":
        return None
    return EngineShop(settings.engine).find(Graph.of_package(package, backend.precision))


def _told(engine: Engine, *, built_now: bool) -> EngineMade:
    sidecar, machine = engine.sidecar, engine.sidecar.key.machine
    return EngineMade(
        tensorrt=machine.tensorrt,
        sku=machine.sku,
        sm=machine.sm,
        cuda=machine.cuda,
        plan_bytes=sidecar.plan_bytes,
        build_s=sidecar.build_s,
        build_peak_rss_bytes=sidecar.peak_rss_bytes,
        built_now=built_now,
    )
