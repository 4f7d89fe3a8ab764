"""CUDA by NVIDIA's cuda-bindings: the runtime API, whose context is the one that TensorRT uses."""

import ctypes
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from cuda.bindings import runtime as cudart
from typing_extensions import override

from edge.backends.cuda import Bytes, DeviceMemory, Event, Gpu, Graph, Stream, refusal, version_text
from edge.errors import BackendMissing

_SUCCESS: Final = cudart.cudaError_t.cudaSuccess
_IN = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
_OUT = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost


def _call(what: str, function: Callable[..., tuple[Any, ...]], *arguments: Any, size_bytes: int = 0) -> Any:
    """Call CUDA; its one result, if it has one."""
    code, *results = function(*arguments)
    if code != _SUCCESS:
        cudart.cudaGetLastError()  # else the next call is told of this error again
        raise refusal(what, code.name, size_bytes)
    return results[0] if results else None


class _Stream(Stream):
    def __init__(self, raw: Any) -> None:
        self.raw, self.handle = raw, int(raw)


class _Event(Event):
    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def record(self, stream: Stream) -> None:
        _call("an event", cudart.cudaEventRecord, self.raw, stream.handle)

    def wait(self) -> None:
        _call("to wait", cudart.cudaEventSynchronize, self.raw)

    def since_ms(self, earlier: Event) -> float:
        assert isinstance(earlier, _Event)  # noqa: S101  both come from one GPU
        return float(_call("a time", cudart.cudaEventElapsedTime, earlier.raw, self.raw))


class _Memory(DeviceMemory):
    def __init__(self, raw: Any, size_bytes: int) -> None:
        self.raw, self.address, self.size_bytes = raw, int(raw), size_bytes


class _Graph(Graph):
    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def launch(self, stream: Stream) -> None:
        _call("a graph", cudart.cudaGraphLaunch, self.raw, stream.handle)


class RuntimeGpu(Gpu):
    """The first GPU by the runtime API."""

    def __init__(self) -> None:
        super().__init__()
        self.binding = f"cuda-bindings {version('cuda-bindings')}"
        code, count = cudart.cudaGetDeviceCount()
        if code != _SUCCESS or not count:
            raise BackendMissing(
                f"CUDA finds no GPU ({code.name}); nvidia-smi says whether there is one with its driver loaded"
            )
        _call("device 0", cudart.cudaSetDevice, 0)
        _call("to sleep while waiting", cudart.cudaSetDeviceFlags, cudart.cudaDeviceScheduleBlockingSync)
        attribute = cudart.cudaDeviceAttr
        self.name = str(_call("its properties", cudart.cudaGetDeviceProperties, 0).name.decode())
        self.multiprocessors = self._attribute(attribute.cudaDevAttrMultiProcessorCount)
        major = self._attribute(attribute.cudaDevAttrComputeCapabilityMajor)
        minor = self._attribute(attribute.cudaDevAttrComputeCapabilityMinor)
        self.compute_capability = f"{major}.{minor}"
        self.cuda_version = version_text(_call("its version", cudart.cudaDriverGetVersion))

    @staticmethod
    def _attribute(which: Any) -> int:
        return int(_call("an attribute", cudart.cudaDeviceGetAttribute, which, 0))

    @override
    def free_bytes(self) -> int:
        code, free_bytes, _ = cudart.cudaMemGetInfo()
        if code != _SUCCESS:
            raise refusal("to say what memory is free", code.name)
        return int(free_bytes)

    @override
    def stream(self) -> Stream:
        self.owned()
        raw = _call("a stream", cudart.cudaStreamCreateWithFlags, cudart.cudaStreamNonBlocking)
        self._free.append(lambda: _call("to free a stream", cudart.cudaStreamDestroy, raw))
        return _Stream(raw)

    @override
    def event(self) -> Event:
        self.owned()
        raw = _call("an event", cudart.cudaEventCreateWithFlags, cudart.cudaEventBlockingSync)
        self._free.append(lambda: _call("to free an event", cudart.cudaEventDestroy, raw))
        return _Event(raw)

    @override
    def device_memory(self, size_bytes: int) -> DeviceMemory:
        self.owned()
        raw = _call("memory", cudart.cudaMalloc, size_bytes, size_bytes=size_bytes)
        self._free.append(lambda: _call("to free memory", cudart.cudaFree, raw))
        return _Memory(raw, size_bytes)

    @override
    def page_locked(self, size_bytes: int) -> Bytes:
        self.owned()
        raw = _call("page-locked memory", cudart.cudaMallocHost, size_bytes, size_bytes=size_bytes)
        self._free.append(lambda: _call("to free page-locked memory", cudart.cudaFreeHost, raw))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(int(raw)))

    @override
    def copy_in(self, target: DeviceMemory, source: Bytes, stream: Stream) -> None:
        self.owned()
        arguments = (target.address, source.ctypes.data, source.nbytes, _IN, stream.handle)
        _call("a copy to the GPU", cudart.cudaMemcpyAsync, *arguments)

    @override
    def copy_out(self, target: Bytes, source: DeviceMemory, stream: Stream) -> None:
        self.owned()
        arguments = (target.ctypes.data, source.address, target.nbytes, _OUT, stream.handle)
        _call("a copy from the GPU", cudart.cudaMemcpyAsync, *arguments)

    @override
    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        self.owned()
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call("to capture", cudart.cudaStreamBeginCapture, stream.handle, mode)
        try:
            work()
        except BaseException:
            code, abandoned = cudart.cudaStreamEndCapture(stream.handle)
            cudart.cudaGetLastError()
            if code == _SUCCESS:
                cudart.cudaGraphDestroy(abandoned)
            raise
        recorded = _call("to capture", cudart.cudaStreamEndCapture, stream.handle)
        try:
            raw = _call("a graph", cudart.cudaGraphInstantiate, recorded, 0)
        finally:
            cudart.cudaGraphDestroy(recorded)
        self._free.append(lambda: _call("to free a graph", cudart.cudaGraphExecDestroy, raw))
        return _Graph(raw)
