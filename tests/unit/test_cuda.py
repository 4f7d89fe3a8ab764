"""The CUDA seam on a machine without a GPU, with NVIDIA's real binding, and on a fake one."""

import importlib
import os
import threading

import numpy as np
import pytest

from edge.backends.cuda import open_gpu, version_text
from edge.engine import machine
from edge.engine.machine import Machine, l4t_release, this_machine
from edge.errors import BackendMissing, DeviceFailed
from tests.sim.faked_nvidia import nvidia

__all__ = ["nvidia"]


@pytest.fixture
def gpu(nvidia):
    with open_gpu() as opened:
        yield opened


def test_the_real_binding_says_that_there_is_no_driver_or_no_gpu() -> None:
    runtime = importlib.import_module("cuda.bindings.runtime")
    if runtime.cudaGetDeviceCount()[1]:
        pytest.skip("this machine has a GPU; tests/gpu runs there")
    with pytest.raises(BackendMissing, match=r"CUDA finds no GPU \(.*; nvidia-smi says"):
        open_gpu()


def test_the_probes_process_says_what_is_missing() -> None:
    assert machine.missing() is not None
    with pytest.raises(BackendMissing, match=r"no GPU|cannot be imported|cannot be reached"):
        this_machine()


def test_a_probe_that_crashes_is_an_answer(nvidia, monkeypatch, tmp_path) -> None:
    (tmp_path / "crashing.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ['PYTHONPATH']}")
    with pytest.raises(BackendMissing, match="crashing crashed with signal 11"):
        this_machine("crashing")


def test_what_was_missing_is_asked_for_again_and_what_was_found_is_not(monkeypatch) -> None:
    answers = ["no driver yet", Machine(sku="a", sm="8.7", l4t="", tensorrt="t 1", cuda="12.6"), "never asked"]
    monkeypatch.setattr(machine, "_known", {})
    monkeypatch.setattr(machine, "_ask", lambda *_: answers.pop(0))
    with pytest.raises(BackendMissing, match="no driver yet"):
        this_machine()
    assert this_machine() is this_machine()
    assert answers == ["never asked"]


def test_a_fake_gpu_is_described(nvidia) -> None:
    assert this_machine() == Machine(
        sku="Fake GPU, 8 multiprocessors", sm="8.7", l4t="", tensorrt="tensorrt 10.3.0", cuda="12.6"
    )


def test_a_copy_in_and_out_gives_back_what_went_in_only_when_it_is_waited_for(gpu) -> None:
    stream, done = gpu.stream(), gpu.event()
    source, target, block = gpu.page_locked(64), gpu.page_locked(64), gpu.device_memory(64)
    source[...] = np.arange(64)
    target[...] = 0
    gpu.copy_in(block, source, stream)
    gpu.copy_out(target, block, stream)
    done.record(stream)
    assert not target.any()
    done.wait()
    assert np.array_equal(target, np.arange(64))


def test_a_graph_does_recorded_work_again_on_what_is_there_then(gpu) -> None:
    stream, done = gpu.stream(), gpu.event()
    source, target, block = gpu.page_locked(8), gpu.page_locked(8), gpu.device_memory(8)

    def work() -> None:
        gpu.copy_in(block, source, stream)
        gpu.copy_out(target, block, stream)

    graph = gpu.capture(stream, work)
    for value in (3, 7):
        source[...] = value
        graph.launch(stream)
        done.record(stream)
        done.wait()
        assert (target == value).all()


def test_a_capture_that_fails_leaves_a_stream_that_works(gpu, nvidia) -> None:
    stream, done = gpu.stream(), gpu.event()
    source, block = gpu.page_locked(8), gpu.device_memory(8)
    nvidia.refuses_capture = True
    with pytest.raises(DeviceFailed, match="cudaErrorStreamCaptureUnsupported"):
        gpu.capture(stream, lambda: gpu.copy_in(block, source, stream))
    gpu.copy_in(block, source, stream)
    done.record(stream)
    done.wait()
    assert not nvidia.graphs


def test_memory_that_was_given_back_is_not_used_unnoticed(nvidia) -> None:
    with open_gpu() as first:
        stream, block = first.stream(), first.device_memory(8)
    with open_gpu() as second:
        with pytest.raises(DeviceFailed, match="cudaErrorInvalidValue"):
            second.copy_in(block, second.page_locked(8), stream)
        other, done = second.stream(), second.event()
        second.copy_in(block, second.page_locked(8), other)
        done.record(other)
        with pytest.raises(DeviceFailed, match="cudaErrorIllegalAddress"):
            done.wait()


def test_another_thread_is_refused(gpu) -> None:
    said: list[str] = []

    def use() -> None:
        try:
            gpu.stream()
        except DeviceFailed as error:
            said.append(str(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "another thread" in said[0]


def test_memory_beyond_the_gpus_is_refused_with_its_size(gpu) -> None:
    with pytest.raises(DeviceFailed, match="1,073,741,824 bytes: cudaErrorMemoryAllocation"):
        gpu.device_memory(2**30)


def test_versions_and_releases_read_as_people_write_them() -> None:
    assert version_text(12060) == "12.6"
    text = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 2025"
    assert l4t_release(text) == "36.4.3"
    assert l4t_release("something else") == ""
