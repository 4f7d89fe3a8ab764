"""TensorRT: runs an engine that was built on this machine."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.backends import Backend, Tensors, graph_inputs, graph_outputs
from edge.backends.cuda import Bytes, Gpu, open_gpu
from edge.backends.cuda import Graph as CapturedWork
from edge.backends.thread import OwnThread
from edge.contract.manifest import Manifest, Precision
from edge.engine.cache import REBUILD, Engine
from edge.engine.engine import EngineShop, Graph
from edge.engine.machine import TENSORRT
from edge.engine.records import Records, make_logger
from edge.errors import BackendMissing, DeviceFailed, EngineInvalid
from edge.package import ModelPackage
from edge.settings import InferenceSettings

IN_FLIGHT: Final = 2
"""While one picture is computed, the next is copied in and the last is copied out."""

ALIGN_BYTES: Final = 256
"""What TensorRT asks of addresses."""

T = TypeVar("T")

Picture = NDArray[np.uint8]
Outputs = Mapping[str, NDArray[np.generic]]

log = logging.getLogger(__name__)


def open_engine(package: ModelPackage, precision: Precision, settings: InferenceSettings) -> "TensorRtBackend":
    """Run the engine of a package's file; one that proves useless is removed, so that it is built again.

    Raises:
        EngineMissing: it is not built.
        EngineInvalid: it is broken, or from elsewhere.
        ModelError: this machine cannot run it.
    """
    shop = EngineShop(settings.engine)
    engine = shop.find(Graph.of_package(package, precision))
    try:
        return TensorRtBackend(package.manifest, engine)
    except EngineInvalid:
        shop.cache.discard(engine)
        raise


class TensorRtBackend(Backend):
    """Runs an engine in a thread of its own, which makes, uses and ends the CUDA context.

    Pages, buffers, streams, events and graphs are made when it is opened; a picture makes none. What ``infer`` gives is
    copied out of them, so it stays as it is when the next picture comes.
    """

    def __init__(self, manifest: Manifest, engine: Engine) -> None:
        super().__init__(manifest)
        self._runner: Runner | None = None
        self._thread: OwnThread | None = OwnThread("tensorrt")
        try:
            self._runner = self._in_thread(lambda: Runner(engine, manifest))
        except BaseException:
            self.close()
            raise
        graph = engine.sidecar.graph.removeprefix("model.").removesuffix(".onnx")
        self.name = f"{engine.sidecar.key.machine.tensorrt}, {graph}, {self._runner.how}"

    def close(self) -> None:
        """End the context, and the thread."""
        if self._thread is not None:
            if self._runner is not None:
                self._in_thread(self._runner.close)
            self._thread.end()
            self._thread = self._runner = None

    def _run(self, image: Picture) -> Outputs:
        return self._in_thread(partial(self._open_runner.run, image))

    def _run_each(self, images: Iterable[Picture]) -> Iterator[Outputs]:
        waiting: list[Callable[[], Outputs]] = []
        try:
            for image in images:
                waiting.append(self._in_thread(partial(self._open_runner.start, image)))
                if len(waiting) == IN_FLIGHT:
                    yield self._in_thread(waiting.pop(0))
            while waiting:
                yield self._in_thread(waiting.pop(0))
        finally:
            for finish in waiting:  # whoever stopped listening leaves pictures under way
                self._in_thread(finish)

    @property
    def _open_runner(self) -> "Runner":
        if self._runner is None:
            raise DeviceFailed("the backend is closed; open the model again")
        return self._runner

    def _in_thread(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            raise DeviceFailed("the backend is closed; open the model again")
        return self._thread.do(work)


class Runner:
    """An engine on a GPU, in the thread that made it.

    Attributes:
        how: with graphs or without, and by what CUDA is reached.
    """

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        self._trt = import_tensorrt()
        self._records = Records()
        self._logger = make_logger(self._trt, self._records)
        self._gpu = open_gpu()
        try:
            self._runtime = self._trt.Runtime(self._logger)
            self._engine = self._deserialize(engine)
            names = self._names_of(engine, manifest)
            self._slots = [self._slot(manifest, names) for _ in range(IN_FLIGHT)]
            recorded = sum(slot.record() for slot in self._slots)
        except BaseException:
            self.close()
            raise
        self.how = (
            f"{'CUDA graphs' if recorded == IN_FLIGHT else 'no CUDA graphs'}, {self._gpu.binding}, {self._gpu.name}"
        )

    def run(self, image: Picture) -> Outputs:
        """One picture from beginning to end."""
        return self.start(image)()

    def start(self, image: Picture) -> Callable[[], Outputs]:
        """Give a picture to the GPU; what is returned waits for its outputs. At most ``IN_FLIGHT`` may be under way.

        Raises:
            DeviceFailed: CUDA or TensorRT refused.
        """
        slot = next((slot for slot in self._slots if not slot.busy), None)
        if slot is None:
            raise DeviceFailed(f"{IN_FLIGHT} pictures are under way; take the result of one before you give another")
        slot.start(image)
        return slot.finish

    def close(self) -> None:
        """Give everything back: what refers to the context before the context."""
        for name in ("_slots", "_engine", "_runtime"):
            if hasattr(self, name):
                delattr(self, name)
        self._gpu.close()

    def _deserialize(self, engine: Engine) -> Any:
        found = self._runtime.deserialize_cuda_engine(engine.plan())
        if found is None:
            raise EngineInvalid(
                f"TensorRT does not take the engine in {engine.folder}: {self._records.errors()}; {REBUILD}"
            )
        return found

    def _names_of(self, engine: Engine, manifest: Manifest) -> dict[str, str]:
        """What the engine calls the tensors of the graph contract.

        Raises:
            EngineInvalid: it has others.
        """
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        entry = self._trt.TensorIOMode.INPUT
        names.sort(key=lambda name: self._engine.get_tensor_mode(name) != entry)  # stable: inputs before outputs
        expected = {**graph_inputs(manifest), **graph_outputs(manifest)}
        ours = list(expected) if engine.sidecar.positional else names
        found = {name: self._described(theirs) for name, theirs in zip(ours, names, strict=False)}
        if found != expected or len(names) != len(expected):
            raise EngineInvalid(
                f"the engine in {engine.folder} has {found}, its package describes {expected}; {REBUILD}"
            )
        return dict(zip(ours, names, strict=True))

    def _described(self, name: str) -> tuple[DTypeLike, tuple[int, ...]]:
        dtype = np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name)))
        return dtype, tuple(self._engine.get_tensor_shape(name))

    def _slot(self, manifest: Manifest, names: Mapping[str, str]) -> "_Slot":
        context = self._engine.create_execution_context()
        if context is None:
            free = f"{self._gpu.free_bytes():,} bytes are free"
            raise DeviceFailed(
                f"TensorRT gives no execution context: {self._records.errors()}; {free} on the GPU: end other programs"
            )
        return _Slot(self._gpu, context, self._records, manifest, names)


class _Slot:
    """Everything that one picture under way needs: a context, a stream, and memory on both sides of the bus.

    The outputs lie behind one another in one block, so that one copy brings them.
    """

    def __init__(self, gpu: Gpu, context: Any, records: Records, manifest: Manifest, names: Mapping[str, str]) -> None:
        self._gpu, self._context, self._records = gpu, context, records
        (self._picture,), in_bytes = _layout(graph_inputs(manifest))
        outputs, out_bytes = _layout(graph_outputs(manifest))
        self._stream, self._done = gpu.stream(), gpu.event()
        self._host_in, self._host_out = gpu.page_locked(in_bytes), gpu.page_locked(out_bytes)
        self._device_in, self._device_out = gpu.device_memory(in_bytes), gpu.device_memory(out_bytes)
        self._image = self._picture.view(self._host_in)
        self._outputs = {place.name: place.view(self._host_out) for place in outputs}
        self._graph: CapturedWork | None = None
        self.busy = False
        self._bind(names[self._picture.name], self._device_in.address)
        for place in outputs:
            self._bind(names[place.name], self._device_out.address + place.offset_bytes)

    def record(self) -> bool:
        """Capture what a picture needs as a graph, after one run that lets TensorRT settle; whether it worked."""
        self._image[...] = 0
        self._work()
        self._done.record(self._stream)
        self._done.wait()
        try:
            self._graph = self._gpu.capture(self._stream, self._work)
        except DeviceFailed as error:
            log.warning("this engine runs without a CUDA graph, each picture costs some launches more: %s", error)
        return self._graph is not None

    def start(self, image: Picture) -> None:
        self.busy = True
        self._image[...] = image
        if self._graph is not None:
            self._graph.launch(self._stream)
        else:
            self._work()
        self._done.record(self._stream)

    def finish(self) -> Outputs:
        try:
            self._done.wait()
        finally:
            self.busy = False
        return {name: output.copy() for name, output in self._outputs.items()}

    def _work(self) -> None:
        self._gpu.copy_in(self._device_in, self._host_in, self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            raise DeviceFailed(f"TensorRT does not run the engine: {self._records.errors() or 'it does not say why'}")
        self._gpu.copy_out(self._host_out, self._device_out, self._stream)

    def _bind(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise DeviceFailed(f"TensorRT does not take the memory for {name}: {self._records.errors()}")


class _Place:
    """Where a tensor lies in a block of memory."""

    def __init__(self, name: str, dtype: Any, shape: tuple[int, ...], offset_bytes: int) -> None:
        self.name, self.offset_bytes = name, offset_bytes
        self._dtype, self._shape = np.dtype(dtype), shape
        self.size_bytes = int(np.prod(shape)) * self._dtype.itemsize

    def view(self, block: Bytes) -> NDArray[Any]:
        """The tensor in ``block``."""
        part: NDArray[Any] = block[self.offset_bytes : self.offset_bytes + self.size_bytes].view(self._dtype)
        return part.reshape(self._shape)


def _layout(tensors: Tensors) -> tuple[list[_Place], int]:
    """Tensors one behind the other, each aligned, and the size of the block that holds them."""
    places, offset_bytes = [], 0
    for name, (dtype, shape) in tensors.items():
        place = _Place(name, dtype, shape, offset_bytes)
        places.append(place)
        offset_bytes += -(-place.size_bytes // ALIGN_BYTES) * ALIGN_BYTES
    return places, offset_bytes


def import_tensorrt() -> Any:
    """JetPack's ``tensorrt``.

    Raises:
        BackendMissing: it is not there.
    """
    try:
        return import_module(TENSORRT)
    except (ImportError, OSError) as error:
        raise BackendMissing(f"{TENSORRT} cannot be imported: {error}; on a Jetson it comes with JetPack") from error
