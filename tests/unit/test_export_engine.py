"""``canopy-export engine``: NVIDIA's builder for PCs in earnest, and the route of torch-tensorrt with fakes."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from edge.engine.cache import SIDECAR_FILE, Sidecar
from edge.errors import BackendMissing
from edge.package import ModelPackage
from export.cli import app
from export.to_onnx import OUTPUTS
from export.torch_trt import Bordered, serialized_engine
from tests.sim.faked_nvidia import nvidia
from training.checkpoint import load_network
from training.graph import Graph
from training.network import fold

__all__ = ["nvidia"]

ROSETTE = Path(__file__).parents[2] / "packages" / "rosette"

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")


def run(*arguments: str):
    return CliRunner().invoke(app, ["engine", *arguments])


def test_a_packages_file_is_built_without_a_gpu_by_tensorrt_for_pcs(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    done = run(str(ROSETTE), "--precision", "fp16", "--library", "tensorrt-rtx", "--folder", str(tmp_path))
    assert done.exit_code == 0, done.output
    (sidecar,) = tmp_path.glob(f"*/{SIDECAR_FILE}")
    built = Sidecar.model_validate_json(sidecar.read_text())
    assert built.graph == "model.fp16.onnx"
    assert built.key.onnx == ModelPackage.open(ROSETTE).manifest.files["model.fp16.onnx"].sha256


def test_the_file_for_cpus_is_refused_in_nvidias_words_and_nothing_is_left(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx_libs", reason="TensorRT-RTX is not installed (pip install '.[rtx]')")
    done = run(str(ROSETTE), "--precision", "int8.cpu", "--library", "tensorrt-rtx", "--folder", str(tmp_path))
    assert done.exit_code == 4
    assert "UInt8" in done.stderr
    assert not list(tmp_path.glob("[0-9a-f]*"))


def test_an_unknown_library_is_an_error_of_the_command_line() -> None:
    assert run(str(ROSETTE), "--library", "abacus").exit_code == 2


def test_the_torch_graph_behind_the_border_is_the_onnx_graph_behind_it() -> None:
    network = load_network(ROSETTE)
    image = torch.from_numpy(np.random.default_rng(3).integers(0, 255, (1, 96, 96, 3), np.uint8))
    graph = Graph(fold(network), 64).eval()
    with torch.no_grad():
        given = Bordered(graph)(image)
        expected = graph(image.permute(0, 3, 1, 2).float() / 255)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(given, expected, strict=True))
    assert len(given) == len(OUTPUTS)


def test_without_torch_tensorrt_its_route_is_refused_with_the_way_out(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    with pytest.raises(BackendMissing, match="ONNX needs neither"):
        serialized_engine(load_network(ROSETTE), ModelPackage.open(ROSETTE).manifest, 2**28)


def renamed(model: onnx.ModelProto) -> bytes:
    """As torch-tensorrt names what it builds: by number."""
    names = {output.name: f"output{number}" for number, output in enumerate(model.graph.output)}
    names |= {model.graph.input[0].name: "arg_0"}
    for value in (*model.graph.input, *model.graph.output):
        value.name = names[value.name]
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return model.SerializeToString()


@pytest.fixture
def torch_tensorrt(monkeypatch):
    """A torch-tensorrt that has built already: the plan of the package's own FP16 graph, under its own names."""
    graph = renamed(onnx.load(ROSETTE / "model.fp16.onnx"))
    module = ModuleType("torch_tensorrt")
    module.__version__ = "2.13.0"
    module.Input = SimpleNamespace
    asked = SimpleNamespace(program=None, options=None, graph=graph)

    def convert(program, *, arg_inputs, use_explicit_typing, workspace_size):
        asked.program, asked.input = program, arg_inputs[0]
        assert use_explicit_typing
        return b"plan " + json.dumps(["10.3.0", "8.7", len(asked.graph)]).encode() + b"\n" + asked.graph

    module.dynamo = SimpleNamespace(convert_exported_program_to_serialized_trt_engine=convert)
    monkeypatch.setitem(sys.modules, "torch_tensorrt", module)
    return asked


def test_what_torch_tensorrt_builds_passes_the_same_gate(nvidia, torch_tensorrt, tmp_path: Path) -> None:
    done = run(str(ROSETTE), "--torch", "--folder", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert torch_tensorrt.input.shape == (1, 512, 512, 3)
    assert torch_tensorrt.input.dtype == torch.uint8
    (sidecar,) = tmp_path.glob(f"*/{SIDECAR_FILE}")
    built = Sidecar.model_validate_json(sidecar.read_text())
    assert built.positional
    assert built.key.flags[0] == "torch-tensorrt 2.13.0"


def test_an_engine_of_torch_tensorrt_that_sees_other_plants_is_refused(nvidia, torch_tensorrt, tmp_path: Path) -> None:
    blind = onnx.load(ROSETTE / "model.fp16.onnx")
    for constant in blind.graph.initializer:
        if constant.raw_data and len(constant.dims) == 4:
            constant.raw_data = bytes(len(constant.raw_data))
    torch_tensorrt.graph = renamed(blind)
    done = run(str(ROSETTE), "--torch", "--folder", str(tmp_path))
    assert done.exit_code == 7, done.output
    assert "golden frames" in done.stderr
    assert not list(tmp_path.glob(f"*/{SIDECAR_FILE}"))
