"""The seam to CUDA by the real pycuda, over a libcuda of host memory. Runs where pycuda is built, as on a Jetson."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pycuda") is None, reason="pycuda is not built here"),
    pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("nm")), reason="gcc and nm are not installed"),
]

USE = """
import ctypes
import numpy as np
from edge.backends.cuda import open_gpu
from edge.errors import DeviceFailed

with open_gpu() as gpu:
    assert gpu.binding.startswith("pycuda"), gpu.binding
    assert (gpu.name, gpu.compute_capability, gpu.multiprocessors, gpu.cuda_version) == ("Fake Orin", "8.7", 8, "12.6")
    stream, begin, done = gpu.stream(), gpu.event(), gpu.event()
    source, target, block = gpu.page_locked(64), gpu.page_locked(64), gpu.device_memory(64)
    assert stream.handle and block.address % 256 == 0 and gpu.free_bytes() < 2**26

    def work():
        gpu.copy_in(block, source, stream)
        gpu.copy_out(target, block, stream)

    source[...] = np.arange(64)
    begin.record(stream)
    work()
    done.record(stream)
    done.wait()
    assert np.array_equal(target, np.arange(64)) and done.since_ms(begin) == 1.5

    graph = gpu.capture(stream, work)
    source[...] = 7
    assert not (target == 7).all(), "a capture does nothing"
    graph.launch(stream)
    assert (target == 7).all()

    try:
        gpu.device_memory(2**30)
        raise SystemExit("more memory than there is")
    except DeviceFailed as error:
        assert "1,073,741,824 bytes" in str(error), error
    ctypes.CDLL(None).setenv(b"FAKE_NO_CAPTURE", b"1", 1)
    try:
        gpu.capture(stream, work)
        raise SystemExit("a capture that is refused")
    except DeviceFailed:
        source[...] = 9
        work()
        assert (target == 9).all(), "the stream works on"
print("left", ctypes.CDLL("libcuda.so.1").fake_live())
"""


@pytest.fixture(scope="module")
def libcuda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, with a stub for each function that pycuda links to and the library lacks."""
    folder = tmp_path_factory.mktemp("libcuda")
    library, source = folder / "libcuda.so.1", ROOT / "tests" / "sim" / "libcuda.c"
    found = importlib.util.find_spec("pycuda")
    assert found is not None and found.origin is not None  # noqa: PT018
    (driver,) = Path(found.origin).parent.glob("_driver*.so")
    listed = subprocess.run(["nm", "-D", "--undefined-only", driver], check=True, capture_output=True, text=True).stdout
    wanted = {line.split()[-1] for line in listed.splitlines() if line.split()[-1].startswith("cu")}
    stubs = folder / "stubs.c"
    stubs.write_text(
        "\n".join(f"int {name}() {{ return 801; }}" for name in wanted if f"R {name}(" not in source.read_text())
    )
    options = ["-w", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]
    subprocess.run(["gcc", *options, "-o", library, source, stubs], check=True)
    return library


def run(libcuda: Path, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    library_path = f"{libcuda.parent}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    given = {**os.environ, "LD_PRELOAD": str(libcuda), "LD_LIBRARY_PATH": library_path, **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=given, timeout=60, check=False
    )


def test_copies_events_graphs_and_refusals_by_pycuda(libcuda: Path) -> None:
    done = run(libcuda, USE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "left 0"


FORGET = """
from edge.backends.cuda import open_gpu
from edge.backends.thread import OwnThread
thread = OwnThread("gpu")
gpu = thread.do(open_gpu)
stream = thread.do(gpu.stream)
"""


def test_a_program_that_ends_without_closing_the_gpu_is_not_aborted(libcuda: Path) -> None:
    done = run(libcuda, FORGET)
    assert done.returncode == 0, done.stderr
    assert "PyCUDA ERROR" not in done.stderr


def test_without_a_gpu_pycudas_refusal_is_ours(libcuda: Path) -> None:
    code = "from edge.backends.cuda import open_gpu\nopen_gpu()"
    done = run(libcuda, code, FAKE_NO_GPU="1")
    assert "BackendMissing: CUDA finds no GPU" in done.stderr
