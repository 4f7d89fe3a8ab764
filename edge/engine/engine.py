"""The engine of a package's file on this machine: found in the cache, or built into it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.backends import Report, Tensors, graph_inputs, graph_outputs
from edge.contract.manifest import Manifest, Precision
from edge.engine.build import BuildOrder, Tensor, read_onnx
from edge.engine.cache import PLAN_FILE, Engine, EngineCache, EngineKey
from edge.engine.machine import TENSORRT, Machine, this_machine
from edge.engine.process import Limits, run_build
from edge.errors import EngineInvalid, EngineMissing
from edge.package import ModelPackage
from edge.settings import EngineSettings, InferenceSettings

_TYPES = {np.dtype(np.uint8): "UINT8", np.dtype(np.float32): "FLOAT"}


@dataclass(frozen=True, slots=True)
class Graph:
    """An ONNX file that is to become an engine.

    Attributes:
        path: the file.
        digest: its SHA-256.
        manifest: says what its inputs and outputs must be; None where it stands alone.
    """

    path: Path
    digest: str
    manifest: Manifest | None

    @classmethod
    def of_package(cls, package: ModelPackage, precision: Precision) -> "Graph":
        """A file of a package, whose digest was verified when the package was opened."""
        path = package.model(precision)
        name = package.manifest.models[precision]
        return cls(path, package.manifest.files[name].sha256, package.manifest)

    @classmethod
    def of_file(cls, path: Path) -> "Graph":
        """A file that stands alone.

        Raises:
            BuildFailed: it cannot be read.
        """
        return cls(path, f"sha256:{hashlib.sha256(read_onnx(path)).hexdigest()}", None)


class EngineShop:
    """Finds and builds engines on one machine, in one cache.

    Args:
        settings: where engines are kept, and what a build may take.
        library: the module with TensorRT's interface.
        machine: what to build for; None asks this one.
    """

    def __init__(self, settings: EngineSettings, library: str = TENSORRT, machine: Machine | None = None) -> None:
        self._settings = settings
        self._library = library
        self.machine = machine or this_machine(library)
        self.cache = EngineCache(engine_folder(settings), settings.keep)

    def find(self, graph: Graph) -> Engine:
        """The engine of ``graph``.

        Raises:
            EngineMissing: it is not built.
            EngineInvalid: what is there cannot be trusted.
        """
        return self.cache.find(self._key(graph))

    def make(self, graph: Graph, report: Report) -> Engine:
        """The engine of ``graph``, built if it is not there. One process builds at a time; others wait for it.

        Raises:
            BuildFailed: it cannot be built.
        """
        key = self._key(graph)
        if (engine := self._good(key)) is not None:
            return engine
        with self.cache.building(lambda: report(0.0, "waiting for another build to end")) as partial:
            if (engine := self._good(key)) is not None:
                return engine
            order = self._order(graph, partial)
            limits = Limits(self._settings.build_memory_bytes, self._settings.build_timeout_s)
            built = run_build(order, limits, self.cache.last_build_s(self.machine), report)
            self.cache.keep_timing(self.machine, order.new_timing)
            return self.cache.put(partial, key, graph.path.name, built.duration_s, built.peak_rss_bytes)

    def _good(self, key: EngineKey) -> Engine | None:
        try:
            engine = self.cache.find(key)
            engine.plan()
        except (EngineMissing, EngineInvalid):
            return None
        return engine

    def _key(self, graph: Graph) -> EngineKey:
        nowhere = Path()
        return EngineKey(onnx=graph.digest, machine=self.machine, flags=self._order(graph, nowhere).flags)

    def _order(self, graph: Graph, folder: Path) -> BuildOrder:
        manifest = graph.manifest
        return BuildOrder(
            onnx=graph.path.resolve(),
            plan=folder / PLAN_FILE,
            timing=self.cache.timing_file(self.machine),
            new_timing=folder / "timing.cache",
            library=self._library,
            workspace_bytes=self._settings.workspace_bytes,
            inputs=manifest and _named(graph_inputs(manifest)),
            outputs=manifest and _named(graph_outputs(manifest)),
        )


def engine_folder(settings: EngineSettings) -> Path:
    """Where engines are kept; for commands without a configuration, in this user's cache."""
    return settings.folder or Path.home() / ".cache" / "canopy" / "engines"


def prepare_engine(package: ModelPackage, precision: Precision, settings: InferenceSettings, report: Report) -> None:
    """Build the engine of a package's file, unless it is there.

    Raises:
        ModelError: it cannot be built here.
    """
    EngineShop(settings.engine).make(Graph.of_package(package, precision), report)


def _named(tensors: Tensors) -> dict[str, Tensor]:
    return {name: (_TYPES[np.dtype(dtype)], shape) for name, (dtype, shape) in tensors.items()}
