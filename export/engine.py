"""Engines on a workstation: by the device's own builder, or by torch-tensorrt from the network itself.

Both run on this machine's GPU only. Devices build their own; what travels is the ONNX file.
"""

import time
from pathlib import Path
from typing import Final

from edge.acceptance.checks import golden_check, trait_checks, turned
from edge.backends import Report, open_backend
from edge.backends.trt import TensorRtBackend
from edge.contract.manifest import MANIFEST_FILE, Precision
from edge.engine.cache import PLAN_FILE, Engine, EngineCache, EngineKey
from edge.engine.engine import EngineShop, Graph, engine_folder
from edge.engine.machine import TENSORRT, this_machine
from edge.golden import read_golden
from edge.health import peak_rss_bytes
from edge.package import ModelPackage
from edge.settings import EngineSettings, InferenceSettings
from export.parity import ParityRefused
from export.torch_trt import serialized_engine
from training.checkpoint import load_network

LIBRARIES: Final = {"tensorrt": TENSORRT, "tensorrt-rtx": "tensorrt_rtx_bindings"}
"""Modules with TensorRT's interface. The second is TensorRT for PCs: it builds without a GPU, for PCs' GPUs."""

FLOATS: Final[tuple[Precision, ...]] = ("fp32", "fp16")
"""What an engine of the network in its own precision is held against."""


def build_engine(source: Path, precision: Precision, settings: EngineSettings, library: str, report: Report) -> Engine:
    """Build an engine of an ONNX file, or of a package's file of ``precision``, unless it is in the cache.

    Raises:
        ModelError: the source, the library or the machine does not do.
    """
    if (source / MANIFEST_FILE).exists():
        graph = Graph.of_package(ModelPackage.open(source), precision)
    else:
        graph = Graph.of_file(source)
    module = LIBRARIES[library]
    machine = this_machine(module, gpu_required=module == TENSORRT)
    return EngineShop(settings, module, machine).make(graph, report)


def torch_engine(folder: Path, settings: EngineSettings, report: Report) -> Engine:
    """Build an engine of a package's network by torch-tensorrt, and admit it by the gate that every file passes.

    Raises:
        ModelError: torch-tensorrt or a GPU is missing, or the engine cannot be built or run.
        ParityRefused: it sees other plants than the package's own files.
    """
    package = ModelPackage.open(folder)
    machine = this_machine()
    report(0.0, "building by torch-tensorrt, which tells of no progress")
    started_s = time.monotonic()
    plan, built_by = serialized_engine(load_network(folder), package.manifest, settings.workspace_bytes)
    key = EngineKey(onnx=package.digest, machine=machine, flags=(built_by, f"WORKSPACE={settings.workspace_bytes}"))
    cache = EngineCache(engine_folder(settings), settings.keep)
    with cache.building(lambda: report(0.0, "waiting for another build to end")) as partial:
        (partial / PLAN_FILE).write_bytes(plan)
        engine = cache.put(partial, key, "model.torch", time.monotonic() - started_s, peak_rss_bytes(), positional=True)
    report(0.9, "comparing it with the package")
    try:
        _admit(package, engine)
    except ParityRefused:
        cache.discard(engine)
        raise
    return engine


def _admit(package: ModelPackage, engine: Engine) -> None:
    golden = list(read_golden(package))
    pictures = list(turned([each.picture for each in golden]))
    floats = [each for each in FLOATS if each in package.manifest.models]
    here = InferenceSettings(package=package.path, backend="cpu", precision=floats[0] if floats else "auto")
    reference = open_backend(package, here)
    backend = TensorRtBackend(package.manifest, engine)
    try:
        checks = [
            golden_check(backend, package.manifest, golden),
            *trait_checks(backend, reference, package.manifest, pictures),
        ]
    finally:
        backend.close()
    failed = "; ".join(f"{check.name}: {check.found}" for check in checks if not check.passed)
    if failed:
        raise ParityRefused(f"the engine that torch-tensorrt built of {package.path} is refused: {failed}; ship ONNX")
