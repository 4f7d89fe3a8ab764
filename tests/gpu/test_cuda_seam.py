"""The CUDA seam on a real GPU, by each binding that is installed."""

import importlib

import numpy as np
import pytest

from edge.backends.cuda import Gpu
from edge.errors import BackendMissing, DeviceFailed

BINDINGS = [("edge.backends.cuda_driver", "DriverGpu"), ("edge.backends.cuda_runtime", "RuntimeGpu")]


@pytest.fixture(params=BINDINGS, ids=["pycuda", "cuda-bindings"])
def gpu(request: pytest.FixtureRequest):
    module, name = request.param
    try:
        opened: Gpu = getattr(importlib.import_module(module), name)()
    except (ImportError, BackendMissing) as error:
        pytest.skip(str(error))
    with opened:
        yield opened


def test_copies_are_in_order_and_arrive(gpu: Gpu) -> None:
    stream, begin, done = gpu.stream(), gpu.event(), gpu.event()
    size = 2**20
    source, target, block = gpu.page_locked(size), gpu.page_locked(size), gpu.device_memory(size)
    source[...] = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    target[...] = 0
    begin.record(stream)
    gpu.copy_in(block, source, stream)
    gpu.copy_out(target, block, stream)
    done.record(stream)
    done.wait()
    assert np.array_equal(source, target)
    assert 0 < done.since_ms(begin) < 1000


def test_a_graph_reads_what_is_there_when_it_is_launched(gpu: Gpu) -> None:
    stream, done = gpu.stream(), gpu.event()
    source, target, block = gpu.page_locked(256), gpu.page_locked(256), gpu.device_memory(256)

    def work() -> None:
        gpu.copy_in(block, source, stream)
        gpu.copy_out(target, block, stream)

    graph = gpu.capture(stream, work)
    for value in (3, 200):
        source[...] = value
        graph.launch(stream)
        done.record(stream)
        done.wait()
        assert (target == value).all()


def test_memory_is_given_back(gpu: Gpu) -> None:
    before = gpu.free_bytes()
    gpu.device_memory(2**26)
    assert gpu.free_bytes() <= before - 2**26
    gpu.close()


def test_more_memory_than_there_is_is_refused_with_its_size(gpu: Gpu) -> None:
    with pytest.raises(DeviceFailed, match="1,125,899,906,842,624 bytes"):
        gpu.device_memory(2**50)
    assert gpu.device_memory(256).address % 256 == 0


def test_a_work_that_fails_in_a_capture_leaves_a_stream_that_works(gpu: Gpu) -> None:
    stream, done = gpu.stream(), gpu.event()
    source, target, block = gpu.page_locked(256), gpu.page_locked(256), gpu.device_memory(256)

    def work() -> None:
        gpu.copy_in(block, source, stream)
        raise DeviceFailed("as TensorRT does when it cannot be captured")

    with pytest.raises(DeviceFailed, match="as TensorRT does"):
        gpu.capture(stream, work)
    source[...] = 5
    gpu.copy_in(block, source, stream)
    gpu.copy_out(target, block, stream)
    done.record(stream)
    done.wait()
    assert (target == 5).all()
