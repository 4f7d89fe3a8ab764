"""Versions of the green model as a release would hold them, with golden frames; and versions that nobody should run."""

import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.backends import open_backend
from edge.contract.manifest import MANIFEST_FILE, Manifest
from edge.package import ModelPackage
from edge.settings import InferenceSettings
from export.golden import write_golden
from tests.sim.green_model import MODEL_FILE, build_green_package, write_package
from tests.sim.pictures import discs, soil

Flaw = Literal["blind", "blind and recorded so", "misremembers", "hungry", "gives NaN", "keen", "no golden frames"]
HUNGER_FLOATS = 110_000_000


def pot_pictures(count: int = 3, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Soil with two plants each, none like another."""
    return [
        discs(soil(128, 128, seed + number), [(32, 32, 8 + number % 6), (96, 90, 10 + number % 5)])
        for number in range(count)
    ]


def build_version(folder: Path, version: str, flaw: Flaw | None = None) -> Path:
    """Write version ``version`` of the green model as a package into ``folder``, and return it."""
    build_green_package(folder, version=version)
    if flaw != "no golden frames":
        _record(folder)
    model = onnx.load_from_string((folder / MODEL_FILE).read_bytes())
    if flaw in {"blind", "blind and recorded so"}:
        _zero_weights(model)
    if flaw == "hungry":
        _eat(model)
    if flaw == "keen":
        _raise(model)
    if flaw == "gives NaN":
        model = onnx.load_from_string(
            (build_green_package(folder / "nan", nan_in="features") / MODEL_FILE).read_bytes()
        )
        shutil.rmtree(folder / "nan")
    _seal(folder, model)
    if flaw in {"blind and recorded so", "keen"}:
        _record(folder)
    if flaw == "misremembers":
        np.savez(
            folder / "golden" / "1.npz", classes=np.ones((32, 32), np.uint8), centers=np.zeros((32, 4), np.float32)
        )
    _seal(folder, model)
    return folder


def _record(folder: Path) -> None:
    """Golden frames, with what the model in ``folder`` gives for them."""
    shutil.rmtree(folder / "golden", ignore_errors=True)
    package = ModelPackage(folder, Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes()), "")
    write_golden(
        folder, package.manifest, open_backend(package, InferenceSettings(package=folder)), pot_pictures(2, 50)
    )


def _seal(folder: Path, model: onnx.ModelProto) -> None:
    manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    write_package(folder, model.SerializeToString(), manifest)


def _zero_weights(model: onnx.ModelProto) -> None:
    """What a failed training leaves: every convolution gives nothing."""
    constants = {constant.name: constant for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv":
            weights = constants[node.input[1]]
            weights.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(weights)), weights.name))


def _raise(model: onnx.ModelProto) -> None:
    """Sees plants everywhere: the threshold of its green lies below all that there is."""
    threshold = next(node.input[1] for node in model.graph.node if node.op_type == "Greater")
    for constant in model.graph.initializer:
        if constant.name == threshold:
            constant.CopyFrom(numpy_helper.from_array(np.float32(-1.0), threshold))


def _eat(model: onnx.ModelProto) -> None:
    """Fill memory on each picture, for nothing."""
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([HUNGER_FLOATS], np.int64), "much"))
    for node in graph.node:
        if node.output[0] == "features":
            node.output[0] = "true_features"
    value = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    graph.node.extend([
        helper.make_node("ReduceMax", ["true_features"], ["some"], keepdims=0),
        helper.make_node("ConstantOfShape", ["much"], ["nothing"], value=value),
        helper.make_node("Mul", ["nothing", "some"], ["much_nothing"]),
        helper.make_node("ReduceSum", ["much_nothing"], ["sum"], keepdims=0),
        helper.make_node("Add", ["true_features", "sum"], ["features"]),
    ])  # fmt: skip
