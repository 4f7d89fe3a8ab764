"""Engines built by NVIDIA's real builder for PCs, which needs no GPU, and by a fake one that can be slow or die."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.engine.build import BuildOrder
from edge.engine.cache import PLAN_FILE
from edge.engine.engine import EngineShop, Graph
from edge.engine.machine import Machine, this_machine
from edge.engine.process import Limits, run_build
from edge.errors import BuildFailed, EngineMissing
from edge.package import ModelPackage
from edge.settings import EngineSettings
from tests.sim.faked_nvidia import nvidia
from tests.sim.green_model import build_green_package, green_graph

__all__ = ["nvidia"]

RTX = "tensorrt_rtx_bindings"
MANY = Limits(memory_bytes=4 * 2**30, timeout_s=60)
SIZE = {"height_px": 64, "width_px": 64}


def silent(share: float, doing: str) -> None: ...


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return ModelPackage.open(build_green_package(tmp_path / "green", **SIZE))


def shop(folder: Path, library: str) -> EngineShop:
    machine = Machine(sku="test", sm="8.7", l4t="", tensorrt=library, cuda="12.6")
    return EngineShop(EngineSettings(folder=folder / "engines"), library, machine)


def order(folder: Path, graph: Path, library: str) -> BuildOrder:
    files = {name: folder / name for name in ("timing", "new_timing")}
    return BuildOrder(onnx=graph, plan=folder / PLAN_FILE, library=library, workspace_bytes=2**28, **files)


def rtx_build(folder: Path, model: onnx.ModelProto | bytes) -> Path:
    """What our builder makes of a graph with NVIDIA's parser and builder."""
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    path = folder / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    run_build(order(folder, path, RTX), MANY, None, silent)
    return folder / PLAN_FILE


def test_nvidias_builder_builds_a_packages_graph_once(tmp_path: Path, package) -> None:
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    engines, graph = shop(tmp_path, RTX), Graph.of_package(package, "fp32")
    with pytest.raises(EngineMissing):
        engines.find(graph)
    made = engines.make(graph, silent)
    assert len(made.plan()) == made.sidecar.plan_bytes > 10_000
    assert made.sidecar.peak_rss_bytes > 10_000_000
    assert engines.make(graph, silent) == made
    assert engines.find(graph) == made


def test_a_machine_without_a_gpu_is_known_as_such_to_a_library_that_needs_none() -> None:
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    assert this_machine(RTX, gpu_required=False).tensorrt.startswith(RTX)


def quantized(code: type, zero: int) -> onnx.ModelProto:
    """image → float → quantized with ``zero`` → dequantized."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(code))
    constants = [numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(code(zero), "z")]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantize"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], "dequantize"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    assert kind in {TensorProto.INT8, TensorProto.UINT8}
    return model


def int32_bias() -> onnx.ModelProto:
    """A convolution whose bias is an integer behind a DequantizeLinear, as ONNX Runtime writes it."""
    constants = [
        numpy_helper.from_array(np.ones((8, 3, 1, 1), np.float32), "w"),
        numpy_helper.from_array(np.zeros(8, np.int32), "b"),
        numpy_helper.from_array(np.float32(0.1), "s"),
        numpy_helper.from_array(np.int32(0), "z"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["b", "s", "z"], ["bias"], "bias"),
        helper.make_node("Conv", ["x", "w", "bias"], ["y"], "conv"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n, 8, 8]) for name, n in (("x", 3), ("y", 8))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def with_operator(operator: str) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], "odd")], "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def open_shape() -> onnx.ModelProto:
    model = with_operator("Relu")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    return model


def test_symmetric_int8_is_built(tmp_path: Path) -> None:
    assert rtx_build(tmp_path, quantized(np.int8, 0)).stat().st_size


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (quantized(np.uint8, 128), "(?i)zero.?point"),
        (quantized(np.int8, 3), "(?i)zero.?point"),
        (int32_bias(), "(?i)int32"),
        (with_operator("Bernoulli"), "UNSUPPORTED_NODE.*Bernoulli odd"),
        (open_shape(), "(?i)profile"),
        (b"this is no graph", "cannot read"),
        (green_graph(64, 64, 32).SerializeToString()[:2000], "cannot read"),
    ],
    ids=["uint8", "zero point", "int32 bias", "operator", "open shape", "no graph", "cut graph"],
)
def test_what_nvidia_refuses_is_told_in_its_words(tmp_path: Path, model, why: str) -> None:
    with pytest.raises(BuildFailed, match=why):
        rtx_build(tmp_path, model)
    assert not (tmp_path / PLAN_FILE).exists()


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    model = green_graph(64, 64, 32)
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(BuildFailed, match="cannot read"):
        rtx_build(tmp_path, (tmp_path / "split.onnx").read_bytes())


def test_a_graph_of_another_size_than_its_manifest_says_is_refused_before_it_is_built(tmp_path: Path, package) -> None:
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    taller = green_graph(128, 64, 32)
    onnx.save(taller, tmp_path / "model.onnx")
    foreign = Graph(tmp_path / "model.onnx", "sha256:0", package.manifest)
    with pytest.raises(BuildFailed, match=r"128, 64, 3.*its manifest describes.*64, 64, 3"):
        shop(tmp_path, RTX).make(foreign, silent)
    assert not list((tmp_path / "engines").glob("[0-9a-f]*"))


def test_a_file_beyond_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    huge = tmp_path / "huge.onnx"
    with huge.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(BuildFailed, match="2147483648 bytes, an ONNX graph has at most"):
        Graph.of_file(huge)
    with pytest.raises(BuildFailed, match="No such file"):
        Graph.of_file(tmp_path / "nothing.onnx")


def test_a_build_tells_how_far_it_is_how_long_the_last_one_took_and_measures_less(
    nvidia, tmp_path, package, monkeypatch
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "1.2")
    told: list[tuple[float, str]] = []
    engines = shop(tmp_path, "tensorrt")
    first = engines.make(Graph.of_package(package, "fp32"), lambda share, doing: told.append((share, doing)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert any("Building engine" in doing for _, doing in told)
    timing = engines.cache.timing_file(engines.machine)
    assert timing.read_text().count("measured") == 1

    other = ModelPackage.open(build_green_package(tmp_path / "other", **SIZE, top_k=16))
    told.clear()
    engines.make(Graph.of_package(other, "fp32"), lambda share, doing: told.append((share, doing)))
    assert f"of about {first.sidecar.build_s:.0f} s" in told[0][1]
    assert timing.read_text().count("measured") == 2


@pytest.mark.parametrize("content", ["9.9.9 measured\n", "\0broken"])
def test_measurements_that_are_broken_or_another_versions_are_left_aside(nvidia, tmp_path, package, content) -> None:
    engines = shop(tmp_path, "tensorrt")
    engines.cache.folder.mkdir()
    timing = engines.cache.timing_file(engines.machine)
    timing.write_text(content)
    engines.make(Graph.of_package(package, "fp32"), silent)
    assert timing.read_text() == "10.3.0 measured\n"


def test_a_builder_that_takes_too_much_memory_is_ended(nvidia, tmp_path, package, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_EATS_BYTES", str(400 * 2**20))
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "30")
    narrow = Limits(memory_bytes=300 * 2**20, timeout_s=60)
    with pytest.raises(BuildFailed, match=r"300 are allowed; raise inference\.engine\.build_memory_bytes"):
        run_build(order(tmp_path, package.model("fp32"), "tensorrt"), narrow, None, silent)


def test_a_build_that_leaves_the_machine_without_memory_is_ended(nvidia, tmp_path, package, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "30")
    monkeypatch.setattr("edge.engine.process.available_bytes", lambda: 100 * 2**20)
    with pytest.raises(BuildFailed, match="left 100 MiB of memory"):
        run_build(order(tmp_path, package.model("fp32"), "tensorrt"), MANY, None, silent)


def test_a_build_that_takes_too_long_is_ended(nvidia, tmp_path, package, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "60")
    with pytest.raises(BuildFailed, match="more than 1 s"):
        run_build(order(tmp_path, package.model("fp32"), "tensorrt"), Limits(2**32, 1.0), None, silent)


def test_a_builder_that_crashes_takes_nothing_with_it(nvidia, tmp_path, package, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_CRASH", "1")
    engines = shop(tmp_path, "tensorrt")
    with pytest.raises(BuildFailed, match="signal 11"):
        engines.make(Graph.of_package(package, "fp32"), silent)
    assert {path.name for path in engines.cache.folder.iterdir()} == {"lock"}


def test_a_builder_that_cannot_even_start_is_told_of(tmp_path, package, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BuildFailed, match="ended with 1"):
        run_build(order(tmp_path, package.model("fp32"), "tensorrt"), MANY, None, silent)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(BuildFailed, match="cannot be started"):
        run_build(order(tmp_path, package.model("fp32"), "tensorrt"), MANY, None, silent)


def test_a_library_that_babbles_on_stdout_is_not_misheard(tmp_path, package, monkeypatch) -> None:
    babble = (
        "import os\nos.write(1, b'\\xff\\xfe\\n[1, 2]\\n{\"share\": \"x\"}\\n')\nraise ImportError('no libnvinfer')\n"
    )
    (tmp_path / "babbling.py").write_text(babble)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    with pytest.raises(BuildFailed, match="no libnvinfer"):
        run_build(order(tmp_path, package.model("fp32"), "babbling"), MANY, None, silent)


def test_the_builder_gives_way_and_ends_with_the_one_who_waits(nvidia, tmp_path, package, monkeypatch) -> None:
    """Killed like a daemon that loses power: nobody is left to end the builder but itself."""
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "60")
    asked = order(tmp_path, package.model("fp32"), "tensorrt").model_dump_json()
    builder = subprocess.Popen(
        [sys.executable, "-m", "edge.engine.build"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert builder.stdin is not None and builder.stdout is not None  # noqa: PT018
    builder.stdin.write(asked.encode() + b"\n")
    builder.stdin.flush()
    builder.stdout.readline()
    assert os.sched_getscheduler(builder.pid) == os.SCHED_IDLE
    assert Path(f"/proc/{builder.pid}/oom_score_adj").read_text().strip() == "1000"
    builder.stdin.close()
    assert builder.wait(timeout=30) == 1
    builder.stdout.close()


def test_two_who_want_one_engine_build_it_once(nvidia, tmp_path, package, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "1")
    told: list[str] = []
    graph = Graph.of_package(package, "fp32")

    def make() -> None:
        shop(tmp_path, "tensorrt").make(graph, lambda _, doing: told.append(doing))

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("reading" in doing or "Building" in doing for doing in told)
    assert told.count("waiting for another build to end") == 1
    assert (
        shop(tmp_path, "tensorrt").cache.timing_file(shop(tmp_path, "tensorrt").machine).read_text().count("measured")
        == 1
    )


MAKE = """
import sys
from pathlib import Path
from edge.engine.engine import EngineShop, Graph
from edge.engine.machine import Machine
from edge.settings import EngineSettings
machine = Machine(sku="test", sm="8.7", l4t="", tensorrt="tensorrt", cuda="12.6")
shop = EngineShop(EngineSettings(folder=Path(sys.argv[1])), "tensorrt", machine)
print("begun", flush=True)
shop.make(Graph.of_file(Path(sys.argv[2])), lambda share, doing: print(doing, flush=True))
"""


def test_a_daemon_killed_while_it_builds_leaves_no_engine_and_no_lock(nvidia, tmp_path, package, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "2")
    command = [sys.executable, "-c", MAKE, str(tmp_path / "engines"), str(package.model("fp32"))]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    assert any("Building" in line for line in iter(daemon.stdout.readline, ""))
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    daemon.stdout.close()
    monkeypatch.setenv("FAKE_TENSORRT_BUILD_S", "0")
    graph = Graph.of_file(package.model("fp32"))
    engines = shop(tmp_path, "tensorrt")
    with pytest.raises(EngineMissing):
        engines.find(graph)
    assert engines.make(graph, silent).plan(), "a lock that outlived its owner would hold this up for ever"
    assert not list(engines.cache.folder.glob(".partial*"))
