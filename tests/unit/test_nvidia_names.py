"""Our code uses what TensorRT 10.3 and 11.4 both have, and the fakes have nothing that the real ones lack."""

import ast
import enum
import importlib
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.sim.faked_nvidia import FAKES, nvidia

__all__ = ["nvidia"]

ROOT = Path(__file__).parents[2]
RELEASES = ["10.3.0", "11.4.0.106"]
LIBRARY = {"trt", "_trt"}
"""What our code calls the module."""
SOURCES = ["edge/engine/build.py", "edge/engine/progress.py", "edge/engine/records.py", "edge/backends/trt.py"]


def real_names(release: str) -> dict[str, list[str]]:
    return yaml.safe_load((ROOT / "tests/sim/tensorrt" / f"{release}.yaml").read_text())["names"]


def used_names() -> set[tuple[str, ...]]:
    """Every ``trt.X`` and ``trt.X.Y`` in our sources."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse((ROOT / source).read_text())):
            dotted = ast.unparse(node).removeprefix("self.").split(".") if isinstance(node, ast.Attribute) else []
            if dotted[1:] and dotted[0] in LIBRARY and all(part.isidentifier() for part in dotted):
                found.add(tuple(dotted[1:3]))
    return found


@pytest.mark.parametrize("release", RELEASES)
def test_every_name_that_our_code_uses_is_in_the_release(release: str) -> None:
    names, used = real_names(release), used_names()
    assert {("Builder",), ("IProgressMonitor", "__init__"), ("MemoryPoolType", "WORKSPACE")} <= used
    for top, *member in used:
        assert top in names
        assert all(name in names[top] for name in member if name != "__init__")


def public(holder: object) -> set[str]:
    return {name for name in vars(holder) if not name.startswith("_")}


@pytest.mark.parametrize("release", RELEASES)
def test_the_fake_has_no_name_that_the_release_lacks(nvidia, release: str) -> None:
    import tensorrt as fake

    names = real_names(release)
    ours = {name: value for name, value in vars(fake).items() if getattr(value, "__module__", "") == "tensorrt"}
    assert {"Builder", "OnnxParser", "Runtime", "IExecutionContext", "nptype"} <= set(ours)
    for name, value in ours.items():
        if name.startswith("_"):
            continue
        assert name in names
        if inspect.isclass(value):
            inherited = {"name", "value"} if issubclass(value, enum.Enum) else set()
            assert public(value) - inherited <= set(names[name]), name


def test_the_fake_stands_for_what_our_code_calls_on_objects(nvidia) -> None:
    """What ``used_names`` cannot see: the fake accepts no other call, and these are the real ones' names."""
    import tensorrt as fake

    called = {
        "ICudaEngine": {"num_io_tensors", "get_tensor_name", "get_tensor_dtype", "create_execution_context"},
        "IExecutionContext": {"set_tensor_address", "execute_async_v3"},
        "IBuilderConfig": {"set_memory_pool_limit", "create_timing_cache", "set_timing_cache", "get_timing_cache"},
    }
    for name, members in called.items():
        assert members <= public(getattr(fake, name))
        assert all(members <= set(real_names(release)[name]) for release in RELEASES)


def test_the_fake_gpu_has_no_function_that_cuda_bindings_lack() -> None:
    spec = importlib.util.spec_from_file_location("fake_runtime", FAKES / "cuda/bindings/runtime.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018
    fake = importlib.util.module_from_spec(spec)
    sys.modules["fake_runtime"] = fake
    spec.loader.exec_module(fake)
    real = importlib.import_module("cuda.bindings.runtime")
    ours = {name: value for name, value in vars(fake).items() if name.startswith("cuda")}
    assert len(ours) > 25
    for name, value in ours.items():
        assert hasattr(real, name), name
        if inspect.isclass(value):
            members = {member.name: int(member) for member in value}
            assert members == {member: int(getattr(getattr(real, name), member)) for member in members}


CALLS = """
from cuda.bindings import runtime as c
import numpy as np
page = np.zeros(64, np.uint8)
mode, kind = c.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal, c.cudaMemcpyKind.cudaMemcpyHostToDevice
attribute = c.cudaDeviceAttr.cudaDevAttrMultiProcessorCount
for function, *arguments in (
    (c.cudaGetDeviceCount,), (c.cudaSetDevice, 0), (c.cudaSetDeviceFlags, c.cudaDeviceScheduleBlockingSync),
    (c.cudaGetDeviceProperties, 0), (c.cudaDeviceGetAttribute, attribute, 0), (c.cudaMemGetInfo,),
    (c.cudaStreamCreateWithFlags, c.cudaStreamNonBlocking), (c.cudaEventCreateWithFlags, c.cudaEventBlockingSync),
    (c.cudaMalloc, 64), (c.cudaMallocHost, 64), (c.cudaMemcpyAsync, 4096, page.ctypes.data, 64, kind, 0),
    (c.cudaStreamBeginCapture, 0, mode), (c.cudaStreamEndCapture, 0),
    (c.cudaEventRecord, c.cudaEvent_t(0), 0), (c.cudaEventSynchronize, c.cudaEvent_t(0)),
    (c.cudaEventElapsedTime, c.cudaEvent_t(0), c.cudaEvent_t(0)), (c.cudaGraphLaunch, c.cudaGraphExec_t(0), 0),
    (c.cudaGraphInstantiate, c.cudaGraph_t(0), 0), (c.cudaDriverGetVersion,),
):
    code, *results = function(*arguments)
    print(function.__name__, code.name, len(results))
"""


def test_cuda_bindings_take_our_arguments_and_refuse_for_want_of_a_driver_only() -> None:
    """A call with an argument that they cannot take raises TypeError before it comes to the driver."""
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "cudaGetDeviceCount" in done.stdout
    assert "cudaDriverGetVersion" in done.stdout
