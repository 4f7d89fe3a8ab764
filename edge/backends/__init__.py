"""What runs a model: one interface, and the choice of its implementation."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from platform import machine
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.backends.installed import cpu_precisions, without_openvino, without_provider
from edge.contract.manifest import Manifest, Precision
from edge.errors import BackendMissing, EngineInvalid, EngineMissing, InferenceFailed, ModelError, PackageInvalid
from edge.package import ModelPackage
from edge.preprocess import GRID_STRIDE_PX
from edge.settings import InferenceSettings

log = logging.getLogger(__name__)

Report = Callable[[float, str], None]
"""Told of progress: the share that is done, 0 to 1, and what is going on."""

Tensors = dict[str, tuple[DTypeLike | None, tuple[int, ...]]]


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """What the network says of one picture. All numbers are finite, all classes and things are the manifest's.

    Attributes:
        classes: the class of each cell of the grid, uint8 [h, w].
        centers: peaks: y and x (rows and columns of the grid), score (0: no peak), thing; float32 [K, 4].
        offsets: dy and dx, in cells, from each cell to the centre of its instance, float32 [2, h, w].
        certainty: mean certainty over the cells given to each class, float32 [C].
        features: summary of the picture for drift, float32 [D].
    """

    classes: NDArray[np.uint8]
    centers: NDArray[np.float32]
    offsets: NDArray[np.float32]
    certainty: NDArray[np.float32]
    features: NDArray[np.float32]


class Backend(ABC):
    """Runs one model. Implementations differ in the runtime only: the graph contract and its checks are kept here.

    Attributes:
        name: what runs, for the log and the health message.
        runtime: its row in ``RUNTIMES``.
        precision: the file of the package that it runs.
        passed_over: the backends that would have been preferred, each with the reason why it was not taken.
        can_be_bettered: ``prepare`` would make a preferred one ready.
    """

    name: str
    runtime: str = ""
    precision: Precision = "fp32"
    passed_over: tuple[str, ...] = ()
    can_be_bettered: bool = False

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._inputs = graph_inputs(manifest)
        self._outputs = graph_outputs(manifest)

    def infer(self, image: NDArray[np.uint8]) -> Inference:
        """Run the network on a fitted picture, uint8 [1, H, W, 3], BGR.

        Raises:
            InferenceFailed: the picture has another shape, the runtime failed, or an output breaks the graph contract.
        """
        _check("image", image, *self._inputs["image"])
        try:
            outputs = self._run(image)
        except Exception as error:  # each runtime raises types of its own; this is the seam where they become ours
            raise self._failed(error) from error
        return self._inference(outputs)

    def infer_each(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Inference]:
        """Run the network on one picture after the other; runtimes that can copy one while they compute another do.

        Raises:
            InferenceFailed: as ``infer`` does.
        """
        results = iter(self._run_each(self._checked(images)))
        while True:
            try:
                outputs = next(results)
            except StopIteration:
                return
            except InferenceFailed:
                raise
            except Exception as error:
                raise self._failed(error) from error
            yield self._inference(outputs)

    def _checked(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for image in images:
            _check("image", image, *self._inputs["image"])
            yield image

    def _failed(self, error: Exception) -> InferenceFailed:
        return InferenceFailed(f"{self.name} failed: {error}; check the model package and the free memory")

    def _inference(self, outputs: Mapping[str, NDArray[np.generic]]) -> Inference:
        for name, (dtype, shape) in self._outputs.items():
            _check(name, outputs.get(name), dtype, shape)
        _check_range("classes", outputs["classes"], len(self._manifest.classes))
        _check_range("centers", outputs["centers"][..., 3], len(self._manifest.things))
        return Inference(**{name: outputs[name][0] for name in self._outputs})

    def warm_up(self) -> None:
        """Run once on a black picture, so that no real one waits for what a runtime does the first time.

        Raises:
            InferenceFailed: as ``infer`` does.
        """
        self.infer(np.zeros(self._inputs["image"][1], np.uint8))

    def close(self) -> None:  # noqa: B027 - most runtimes give back what they hold with their last reference
        """Give back memory and devices; the backend is not used again. Does nothing the second time."""

    @abstractmethod
    def _run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.generic]]:
        """The graph's outputs by their names; may raise anything."""

    def _run_each(self, images: Iterable[NDArray[np.uint8]]) -> Iterable[Mapping[str, NDArray[np.generic]]]:
        """The outputs of each picture, in order; for a runtime that does better than one after the other."""
        return map(self._run, images)


@dataclass(frozen=True, slots=True)
class Runtime:
    """A way to run models: one row of ``RUNTIMES``.

    Attributes:
        name: what ``inference.backend`` calls it.
        precisions: the files of a package that it takes, fastest first.
        missing: says what this machine lacks for it; None if it can run here.
        open: loads a file of a package; raises ModelError.
        prepare: makes what ``open`` needs and takes long, unless it is there; raises ModelError.
        unasked: ``auto`` may take it; else it runs only when it is named.
    """

    name: str
    precisions: tuple[Precision, ...]
    missing: Callable[[], str | None]
    open: Callable[[ModelPackage, Precision, InferenceSettings], Backend]
    prepare: Callable[[ModelPackage, Precision, InferenceSettings, Report], None] | None = None
    unasked: bool = True


def _tensorrt_missing() -> str | None:
    from edge.engine.machine import missing  # noqa: PLC0415  runtimes are looked for when one is to be chosen

    return missing()


def _open_tensorrt(package: ModelPackage, precision: Precision, settings: InferenceSettings) -> Backend:
    from edge.backends.trt import open_engine  # noqa: PLC0415

    return open_engine(package, precision, settings)


def _prepare_tensorrt(package: ModelPackage, precision: Precision, settings: InferenceSettings, report: Report) -> None:
    from edge.engine.engine import prepare_engine  # noqa: PLC0415

    prepare_engine(package, precision, settings, report)


def _open_cpu(package: ModelPackage, precision: Precision, settings: InferenceSettings) -> Backend:
    from edge.backends.ort import OrtBackend  # noqa: PLC0415  loading a runtime takes a second and 60 MB

    return OrtBackend(package, precision, settings)


def _open_cuda(package: ModelPackage, precision: Precision, settings: InferenceSettings) -> Backend:
    from edge.backends.ort_cuda import OrtCudaBackend  # noqa: PLC0415

    return OrtCudaBackend(package, precision, settings)


def _open_ort_tensorrt(package: ModelPackage, precision: Precision, settings: InferenceSettings) -> Backend:
    from edge.backends.ort_cuda import TENSORRT, OrtCudaBackend  # noqa: PLC0415

    return OrtCudaBackend(package, precision, settings, TENSORRT)


def _open_openvino(package: ModelPackage, precision: Precision, settings: InferenceSettings) -> Backend:
    from edge.backends.openvino import OpenVinoBackend  # noqa: PLC0415

    return OpenVinoBackend(package, precision, settings)


RUNTIMES: Final = (
    Runtime("tensorrt", ("int8.trt", "fp16", "fp32"), _tensorrt_missing, _open_tensorrt, _prepare_tensorrt),
    # CUDA's provider of ONNX Runtime has no fast INT8 kernels: it would run quantized files in float, and slower.
    Runtime("cuda", ("fp16", "fp32"), lambda: without_provider("cuda"), _open_cuda),
    Runtime("cpu", cpu_precisions(machine()), lambda: None, _open_cpu),
    Runtime(
        "ort-tensorrt",
        ("int8.trt", "fp16", "fp32"),
        lambda: without_provider("tensorrt"),
        _open_ort_tensorrt,
        unasked=False,  # it builds its engines where they are first needed, which takes minutes
    ),
    Runtime(
        "openvino",
        ("int8.trt", "int8.cpu", "fp32", "fp16"),
        without_openvino,
        _open_openvino,
        unasked=False,  # no faster than ONNX Runtime on one thread, and 25 MB larger in memory
    ),
)
"""All of them, best first."""


def open_backend(package: ModelPackage, settings: InferenceSettings) -> Backend:
    """Load the package's model in the configured precision, on the configured runtime.

    With ``auto`` a runtime that fails makes room for the next one; the result says in ``passed_over`` why.

    Raises:
        BackendMissing: this machine cannot run the configured one.
        PackageInvalid: the package lacks a file, or it is not a graph as the manifest describes it.
        ModelError: the runtime cannot load it.
    """
    candidates, passed_over = _candidates(package, settings)
    unprepared = False
    for runtime, precision in candidates:
        try:
            backend = runtime.open(package, precision, settings)
        except ModelError as error:
            if runtime is candidates[-1][0]:
                raise
            passed_over.append(f"{runtime.name}: {error}")
            unprepared = unprepared or isinstance(error, EngineMissing | EngineInvalid)
            continue
        backend.runtime, backend.precision = runtime.name, precision
        backend.passed_over, backend.can_be_bettered = tuple(passed_over), unprepared
        log.info("%s%s", backend.name, "".join(f"; not {reason}" for reason in passed_over))
        return backend
    raise AssertionError("there is always a candidate")  # pragma: no cover


def prepare(package: ModelPackage, settings: InferenceSettings, report: Report) -> None:
    """Make what the runtime that will be chosen needs, such as an engine: minutes at the first time, else nothing.

    Raises:
        ModelError: as ``open_backend`` does, or it cannot be made.
    """
    runtime, precision = _candidates(package, settings)[0][0]
    if runtime.prepare is not None:
        runtime.prepare(package, precision, settings, report)
    report(1.0, f"{runtime.name}, {precision}: ready")


def _candidates(
    package: ModelPackage, settings: InferenceSettings
) -> tuple[list[tuple[Runtime, Precision]], list[str]]:
    """What can run here, best first, each with the file that it would run; and why others cannot."""
    if settings.precision != "auto":
        package.model(settings.precision)  # raises, with what there is
    named = settings.backend
    wanted = [each for each in RUNTIMES if named == each.name or (named == "auto" and each.unasked)]
    found: list[tuple[Runtime, Precision]] = []
    passed_over: list[str] = []
    for runtime in wanted:
        precision = next(_runnable(runtime, package, settings), None)
        if precision is None:
            passed_over.append(f"{runtime.name}: it runs {', '.join(runtime.precisions)}, which this package lacks")
        elif (missing := runtime.missing()) is not None:
            passed_over.append(f"{runtime.name}: {missing}")
        else:
            found.append((runtime, precision))
    if not found:
        has = f"{package.path} ({', '.join(sorted(package.manifest.models)) or 'no model'})"
        if settings.backend == "auto":
            raise PackageInvalid(f"nothing here can run {has}; install another package")
        reason = passed_over[0] if passed_over else f"this release has no {settings.backend}"
        raise BackendMissing(f"cannot run {has} as inference.backend asks: {reason}; mend that, or set it to auto")
    return found, passed_over


def _runnable(runtime: Runtime, package: ModelPackage, settings: InferenceSettings) -> Iterator[Precision]:
    """The files of a package that a runtime takes and the settings allow, fastest first."""
    for precision in runtime.precisions:
        if precision in package.manifest.models and settings.precision in {"auto", precision}:
            yield precision


def graph_inputs(manifest: Manifest) -> Tensors:
    """Type and shape of the graph's input."""
    return {"image": (np.uint8, (1, manifest.input.height_px, manifest.input.width_px, 3))}


def graph_outputs(manifest: Manifest) -> Tensors:
    """Types and shapes of the graph's outputs."""
    grid = (manifest.input.height_px // GRID_STRIDE_PX, manifest.input.width_px // GRID_STRIDE_PX)
    return {
        "classes": (np.uint8, (1, *grid)),
        "centers": (np.float32, (1, manifest.top_k, 4)),
        "offsets": (np.float32, (1, 2, *grid)),
        "certainty": (np.float32, (1, len(manifest.classes))),
        "features": (np.float32, (1, manifest.features)),
    }


def _check(name: str, tensor: NDArray[np.generic] | None, dtype: DTypeLike | None, shape: tuple[int, ...]) -> None:
    if tensor is None or tensor.dtype != dtype or tensor.shape != shape:
        found = "missing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
        raise InferenceFailed(f"tensor {name} is {found}, not {np.dtype(dtype)} {list(shape)}; check the model package")
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise InferenceFailed(f"tensor {name} holds NaN or infinity; the model is broken: install another package")


def _check_range(name: str, values: NDArray[np.generic], count: int) -> None:
    if values.size and not (values.min() >= 0 and values.max() < count and np.array_equal(values, np.trunc(values))):
        raise InferenceFailed(
            f"tensor {name} holds {values.min()} to {values.max()}, the manifest knows 0 to {count - 1}; "
            "the graph and the manifest do not belong together: install another package"
        )
