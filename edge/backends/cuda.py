"""CUDA, as far as Canopy uses it: one GPU's context, streams, events, page-locked and device memory, graphs.

This is the only seam to it. Behind it stands pycuda where it is installed (it builds from source where a driver and the
toolkit are, as on a Jetson), else NVIDIA's cuda-bindings, which install anywhere.

A ``Gpu`` belongs to the thread that opened it: contexts are bound to threads, and mixing them up fails late and far
away. Everything made by it is given back by its ``close``.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from edge.errors import BackendMissing, DeviceFailed

Bytes = NDArray[np.uint8]


class Stream(ABC):
    """Work that the GPU does in order. ``handle`` is CUDA's own, for TensorRT."""

    handle: int


class Event(ABC):
    """A mark in a stream."""

    @abstractmethod
    def record(self, stream: Stream) -> None:
        """Set the mark behind everything that ``stream`` has been given."""

    @abstractmethod
    def wait(self) -> None:
        """Sleep, without spinning, until the GPU has come to the mark."""

    @abstractmethod
    def since_ms(self, earlier: "Event") -> float:
        """Time on the GPU between two marks that it has come to."""


class DeviceMemory(ABC):
    """A block of the GPU's memory. ``address`` is CUDA's own, for TensorRT."""

    address: int
    size_bytes: int


class Graph(ABC):
    """Work that was captured, and is done again with one call."""

    @abstractmethod
    def launch(self, stream: Stream) -> None:
        """Give the work to ``stream``."""


class Gpu(ABC):
    """One GPU, in the thread that opened it.

    Attributes:
        name: what the GPU calls itself.
        compute_capability: like 8.7.
        multiprocessors: how many it has.
        cuda_version: what the driver speaks, like 12.6.
        binding: the library behind the seam, and its version.
    """

    name: str
    compute_capability: str
    multiprocessors: int
    cuda_version: str
    binding: str

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._free: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back, the newest first. Does nothing the second time; an error in it changes nothing."""
        while self._free:
            try:
                self._free.pop()()
            except DeviceFailed:
                continue

    def owned(self) -> None:
        """See that the caller is the thread that opened the GPU.

        Raises:
            DeviceFailed: it is another.
        """
        if threading.get_ident() != self._thread:
            raise DeviceFailed("CUDA is used from another thread than the one that opened it; this is a defect")

    @abstractmethod
    def free_bytes(self) -> int:
        """Memory of the GPU that nobody holds."""

    @abstractmethod
    def stream(self) -> Stream:
        """A new stream, which waits for no other."""

    @abstractmethod
    def event(self) -> Event:
        """A new event."""

    @abstractmethod
    def device_memory(self, size_bytes: int) -> DeviceMemory:
        """A block of the GPU's memory.

        Raises:
            DeviceFailed: there is not so much.
        """

    @abstractmethod
    def page_locked(self, size_bytes: int) -> Bytes:
        """Host memory that the GPU copies from and to by itself, uint8 [size_bytes]."""

    @abstractmethod
    def copy_in(self, target: DeviceMemory, source: Bytes, stream: Stream) -> None:
        """Copy page-locked memory to the GPU, in the order of ``stream``."""

    @abstractmethod
    def copy_out(self, target: Bytes, source: DeviceMemory, stream: Stream) -> None:
        """Copy the GPU's memory to page-locked memory, in the order of ``stream``."""

    @abstractmethod
    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        """Record what ``work`` gives to ``stream``, without doing it.

        Raises:
            DeviceFailed: some of it cannot be recorded; ``stream`` can be used all the same.
        """


def open_gpu() -> Gpu:
    """The first GPU, for the calling thread.

    Raises:
        BackendMissing: there is no library for it, no driver or no GPU.
        DeviceFailed: CUDA refused, for instance because the GPU's memory is used up.
    """
    try:
        from edge.backends.cuda_driver import DriverGpu  # noqa: PLC0415  which of them is there shows here

        return DriverGpu()
    except ImportError as error:
        reason = f"pycuda: {error}"
    try:
        from edge.backends.cuda_runtime import RuntimeGpu  # noqa: PLC0415

        return RuntimeGpu()
    except ImportError as error:
        raise BackendMissing(
            f"CUDA cannot be reached from Python ({reason}; cuda-bindings: {error}); "
            "pip install pycuda on a Jetson, 'canopy-edge[cuda]' elsewhere"
        ) from error


def version_text(version: int) -> str:
    """CUDA's numbers for its versions, 12060, as people write them, 12.6."""
    return f"{version // 1000}.{version % 1000 // 10}"


def refusal(what: str, why: Any, size_bytes: int = 0) -> DeviceFailed:
    """A refused call as our error."""
    asked = f" of {size_bytes:,} bytes" if size_bytes else ""
    return DeviceFailed(
        f"CUDA refused {what}{asked}: {why}; end other programs that use the GPU, or restart the device"
    )
