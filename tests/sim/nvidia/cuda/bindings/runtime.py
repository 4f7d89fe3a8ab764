"""A GPU of host memory behind the functions of ``cuda.bindings.runtime`` that Canopy calls, and no others.

It is stricter than a real one. Work given to a stream is done when somebody waits for it, not before; memory that was
freed, or never given, is refused; work in a capture is recorded, not done. ``DEVICE`` tells what happened and can be
told what to refuse.
"""

import ctypes
import enum
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorNoDevice = 100
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class cudaMemcpyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaDeviceAttr(enum.IntEnum):
    cudaDevAttrMultiProcessorCount = 16
    cudaDevAttrComputeCapabilityMajor = 75
    cudaDevAttrComputeCapabilityMinor = 76


class cudaStreamCaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


cudaStreamNonBlocking = 1
cudaEventBlockingSync = 1
cudaDeviceScheduleBlockingSync = 4

OK = cudaError_t.cudaSuccess
Work = Callable[[], None]


class Handle:
    """An opaque handle of CUDA, which turns into a number."""

    _next = 1000

    def __init__(self) -> None:
        Handle._next += 1
        self._number = Handle._next

    def __int__(self) -> int:
        return self._number


class Stream(Handle):
    def __init__(self) -> None:
        super().__init__()
        self.pending: list[Work | int] = []
        self.captured: list[Work] | None = None
        self.invalidated = False


@dataclass
class FakeDevice:
    """What the GPU has, holds, and was asked for."""

    count: int = field(default_factory=lambda: int(os.environ.get("FAKE_CUDA_DEVICES", "1")))
    memory_bytes: int = 64 * 2**20
    refuses_capture: bool = False
    allocations: int = 0
    launches: int = 0
    blocks: dict[int, np.ndarray] = field(default_factory=dict)
    pinned: dict[int, np.ndarray] = field(default_factory=dict)
    streams: dict[int, Stream] = field(default_factory=dict)
    events: dict[int, Stream | None] = field(default_factory=dict)
    graphs: dict[int, list[Work]] = field(default_factory=dict)
    threads: set[int] = field(default_factory=set)

    @property
    def live(self) -> int:
        """How much is held that somebody must give back."""
        return len(self.blocks) + len(self.pinned) + len(self.streams) + len(self.events) + len(self.graphs)

    def memory(self, address: int, size_bytes: int, *, pinned: bool = False) -> np.ndarray:
        """The bytes at an address of a living block."""
        for start, block in (self.pinned if pinned else self.blocks).items():
            if start <= address and address + size_bytes <= start + block.nbytes:
                return block[address - start : address - start + size_bytes]
        raise IllegalAddress(hex(address))

    def give(self, stream: int, work: Work) -> cudaError_t:
        """Put work at the end of a stream, or into its capture."""
        self.threads.add(threading.get_ident())
        if stream not in self.streams:
            return cudaError_t.cudaErrorInvalidValue
        queue = self.streams[stream]
        if queue.captured is None:
            queue.pending.append(work)
        elif self.refuses_capture:
            queue.invalidated = True
            return cudaError_t.cudaErrorStreamCaptureUnsupported
        else:
            queue.captured.append(work)
        return OK

    def do(self, stream: Stream, until: int) -> None:
        """The work of a stream up to a mark."""
        while stream.pending:
            item = stream.pending.pop(0)
            if callable(item):
                item()
            elif item == until:
                return


class IllegalAddress(Exception):
    """A pointer into nothing."""


DEVICE = FakeDevice()


def reset() -> FakeDevice:
    DEVICE.__init__()  # type: ignore[misc]
    return DEVICE


def _made(handle: Any) -> tuple[cudaError_t, Any]:
    DEVICE.allocations += 1
    DEVICE.threads.add(threading.get_ident())
    return OK, handle


def cudaGetLastError() -> tuple[cudaError_t]:
    return (OK,)


def cudaGetDeviceCount() -> tuple[cudaError_t, int | None]:
    return (OK, DEVICE.count) if DEVICE.count else (cudaError_t.cudaErrorNoDevice, None)


def cudaSetDevice(device: int) -> tuple[cudaError_t]:
    return (OK if device < DEVICE.count else cudaError_t.cudaErrorInvalidValue,)


def cudaSetDeviceFlags(flags: int) -> tuple[cudaError_t]:
    return (OK,)


def cudaGetDeviceProperties(device: int) -> tuple[cudaError_t, Any]:
    class Properties:
        name = b"Fake GPU"

    return OK, Properties()


def cudaDeviceGetAttribute(attribute: cudaDeviceAttr, device: int) -> tuple[cudaError_t, int]:
    return OK, {16: 8, 75: 8, 76: 7}[int(attribute)]


def cudaDriverGetVersion() -> tuple[cudaError_t, int]:
    return OK, 12060


def cudaMemGetInfo() -> tuple[cudaError_t, int, int]:
    return OK, DEVICE.memory_bytes - sum(block.nbytes for block in DEVICE.blocks.values()), DEVICE.memory_bytes


def cudaStreamCreateWithFlags(flags: int) -> tuple[cudaError_t, Any]:
    stream = Stream()
    DEVICE.streams[int(stream)] = stream
    return _made(stream)


def cudaStreamDestroy(stream: Any) -> tuple[cudaError_t]:
    return (OK if DEVICE.streams.pop(int(stream), None) else cudaError_t.cudaErrorInvalidValue,)


def cudaEventCreateWithFlags(flags: int) -> tuple[cudaError_t, Any]:
    event = Handle()
    DEVICE.events[int(event)] = None
    return _made(event)


def cudaEventDestroy(event: Any) -> tuple[cudaError_t]:
    known = DEVICE.events.pop(int(event), "unknown")
    return (cudaError_t.cudaErrorInvalidValue if known == "unknown" else OK,)


def cudaEventRecord(event: Any, stream: Any) -> tuple[cudaError_t]:
    queue = DEVICE.streams[int(stream)]
    DEVICE.events[int(event)] = queue
    queue.pending.append(int(event))
    return (OK,)


def cudaEventSynchronize(event: Any) -> tuple[cudaError_t]:
    stream = DEVICE.events[int(event)]
    try:
        if stream is not None:
            DEVICE.do(stream, until=int(event))
    except IllegalAddress:
        return (cudaError_t.cudaErrorIllegalAddress,)
    return (OK,)


def cudaEventElapsedTime(start: Any, end: Any) -> tuple[cudaError_t, float]:
    return OK, 1.5


def cudaMalloc(size: int) -> tuple[cudaError_t, int | None]:
    if size > cudaMemGetInfo()[1]:
        return cudaError_t.cudaErrorMemoryAllocation, None
    room = np.full(size + 256, 0xA5, np.uint8)  # never zero by chance
    begin = -room.ctypes.data % 256
    block = room[begin : begin + size]
    DEVICE.blocks[block.ctypes.data] = block
    return _made(block.ctypes.data)


def cudaFree(address: int) -> tuple[cudaError_t]:
    return (cudaError_t.cudaErrorInvalidValue if DEVICE.blocks.pop(address, None) is None else OK,)


def cudaMallocHost(size: int) -> tuple[cudaError_t, int | None]:
    block = np.full(size, 0x5A, np.uint8)
    DEVICE.pinned[block.ctypes.data] = block
    return _made(block.ctypes.data)


def cudaFreeHost(address: int) -> tuple[cudaError_t]:
    return (cudaError_t.cudaErrorInvalidValue if DEVICE.pinned.pop(address, None) is None else OK,)


def cudaMemcpyAsync(dst: int, src: int, count: int, kind: cudaMemcpyKind, stream: Any) -> tuple[cudaError_t]:
    inward = kind == cudaMemcpyKind.cudaMemcpyHostToDevice

    def copy() -> None:
        target = DEVICE.memory(dst, count, pinned=not inward)
        ctypes.memmove(target.ctypes.data, DEVICE.memory(src, count, pinned=inward).ctypes.data, count)

    return (DEVICE.give(int(stream), copy),)


def cudaStreamBeginCapture(stream: Any, mode: cudaStreamCaptureMode) -> tuple[cudaError_t]:
    queue = DEVICE.streams[int(stream)]
    queue.captured, queue.invalidated = [], False
    return (OK,)


def cudaStreamEndCapture(stream: Any) -> tuple[cudaError_t, Any]:
    queue = DEVICE.streams[int(stream)]
    captured, queue.captured = queue.captured, None
    if queue.invalidated:
        return cudaError_t.cudaErrorStreamCaptureInvalidated, None
    return OK, captured


def cudaGraphInstantiate(graph: Any, flags: int) -> tuple[cudaError_t, Any]:
    handle = Handle()
    DEVICE.graphs[int(handle)] = list(graph)
    return _made(handle)


def cudaGraphDestroy(graph: Any) -> tuple[cudaError_t]:
    graph.clear()
    return (OK,)


def cudaGraphExecDestroy(graph: Any) -> tuple[cudaError_t]:
    return (cudaError_t.cudaErrorInvalidValue if DEVICE.graphs.pop(int(graph), None) is None else OK,)


def cudaGraphLaunch(graph: Any, stream: Any) -> tuple[cudaError_t]:
    DEVICE.launches += 1
    for work in DEVICE.graphs[int(graph)]:
        DEVICE.give(int(stream), work)
    return (OK,)
