"""CUDA by pycuda: the driver API, in the primary context, which is the one that TensorRT uses.

pycuda has no graphs; for these four calls the driver's library is asked directly.
"""

import ctypes
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
import pycuda
import pycuda.driver as drv
from typing_extensions import override

from edge.backends.cuda import Bytes, DeviceMemory, Event, Gpu, Graph, Stream, refusal, version_text
from edge.errors import BackendMissing

_THREAD_LOCAL: Final = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL."""

_NON_BLOCKING: Final = 1
"""CU_STREAM_NON_BLOCKING."""

T = TypeVar("T")


def _call(what: str, function: Callable[..., T], *arguments: Any, size_bytes: int = 0) -> T:
    try:
        return function(*arguments)
    except drv.Error as error:
        raise refusal(what, error, size_bytes) from error


class _Dropped:
    """Streams and events end with their last reference, which must go while the context is current."""

    raw: Any

    def drop(self) -> None:
        self.raw = None


class _Stream(_Dropped, Stream):
    def __init__(self, raw: Any) -> None:
        self.raw, self.handle = raw, int(raw.handle)


class _Event(_Dropped, Event):
    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def record(self, stream: Stream) -> None:
        _call("an event", self.raw.record, _raw(stream))

    def wait(self) -> None:
        _call("to wait", self.raw.synchronize)

    def since_ms(self, earlier: Event) -> float:
        return float(_call("a time", self.raw.time_since, _raw(earlier)))


class _Memory(DeviceMemory):
    def __init__(self, raw: Any, size_bytes: int) -> None:
        self.raw, self.address, self.size_bytes = raw, int(raw), size_bytes


class _Graph(Graph):
    def __init__(self, library: ctypes.CDLL, raw: ctypes.c_void_p) -> None:
        self._library, self.raw = library, raw

    def launch(self, stream: Stream) -> None:
        _ask(self._library, "cuGraphLaunch", self.raw, ctypes.c_void_p(stream.handle))


def _raw(made: Any) -> Any:
    """What pycuda made: everything that is given to a GPU comes from it."""
    return made.raw


def _ask(library: ctypes.CDLL, function: str, *arguments: Any) -> None:
    code = getattr(library, function)(*arguments)
    if code:
        raise refusal(function, f"error {code}")


class DriverGpu(Gpu):
    """The first GPU by the driver API."""

    def __init__(self) -> None:
        super().__init__()
        self.binding = f"pycuda {pycuda.VERSION_TEXT}"
        try:
            drv.init()
            if not drv.Device.count():
                raise BackendMissing("CUDA finds no GPU; check that there is one")
        except drv.Error as error:
            raise BackendMissing(
                f"CUDA finds no GPU ({error}); nvidia-smi says whether there is one with its driver loaded"
            ) from error
        self._library = ctypes.CDLL("libcuda.so.1")
        device = drv.Device(0)
        context = _call("a context", device.retain_primary_context)
        context.push()
        self._free += [context.detach, context.pop]  # the newest is undone first
        self.name = str(device.name())
        self.multiprocessors = int(device.get_attribute(drv.device_attribute.MULTIPROCESSOR_COUNT))
        self.compute_capability = ".".join(str(part) for part in device.compute_capability())
        self.cuda_version = version_text(int(drv.get_driver_version()))

    @override
    def free_bytes(self) -> int:
        return int(_call("to say what memory is free", drv.mem_get_info)[0])

    @override
    def stream(self) -> Stream:
        self.owned()
        made = _Stream(_call("a stream", drv.Stream, _NON_BLOCKING))
        self._free.append(made.drop)
        return made

    @override
    def event(self) -> Event:
        self.owned()
        made = _Event(_call("an event", drv.Event, drv.event_flags.BLOCKING_SYNC))
        self._free.append(made.drop)
        return made

    @override
    def device_memory(self, size_bytes: int) -> DeviceMemory:
        self.owned()
        raw = _call("memory", drv.mem_alloc, size_bytes, size_bytes=size_bytes)
        self._free.append(raw.free)
        return _Memory(raw, size_bytes)

    @override
    def page_locked(self, size_bytes: int) -> Bytes:
        self.owned()
        array = _call("page-locked memory", drv.pagelocked_empty, size_bytes, np.uint8, size_bytes=size_bytes)
        self._free.append(array.base.free)
        return np.asarray(array)

    @override
    def copy_in(self, target: DeviceMemory, source: Bytes, stream: Stream) -> None:
        self.owned()
        _call("a copy to the GPU", drv.memcpy_htod_async, target.address, source, _raw(stream))

    @override
    def copy_out(self, target: Bytes, source: DeviceMemory, stream: Stream) -> None:
        self.owned()
        _call("a copy from the GPU", drv.memcpy_dtoh_async, target, source.address, _raw(stream))

    @override
    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        self.owned()
        handle, recorded, raw = ctypes.c_void_p(stream.handle), ctypes.c_void_p(), ctypes.c_void_p()
        _ask(self._library, "cuStreamBeginCapture_v2", handle, _THREAD_LOCAL)
        try:
            work()
        except BaseException:
            self._library.cuStreamEndCapture(handle, ctypes.byref(recorded))
            if recorded:
                self._library.cuGraphDestroy(recorded)
            raise
        _ask(self._library, "cuStreamEndCapture", handle, ctypes.byref(recorded))
        try:
            flags = ctypes.c_ulonglong(0)
            _ask(self._library, "cuGraphInstantiateWithFlags", ctypes.byref(raw), recorded, flags)
        finally:
            self._library.cuGraphDestroy(recorded)
        self._free.append(lambda: _ask(self._library, "cuGraphExecDestroy", raw))
        return _Graph(self._library, raw)
