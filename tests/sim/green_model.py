"""A tiny real model package: an ONNX graph that finds plants by their excess of green, to the whole graph contract.

Built with onnx alone, in milliseconds; tests run it in the real runtime where they need a device that measures.
"""

import hashlib
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.contract.manifest import MANIFEST_FILE, FileEntry, GraphInput, Lineage, Manifest, Thing
from edge.contract.traits import TRAIT_SETS

MODEL_FILE = "model.fp32.onnx"
GREEN_ABOVE = 0.15
DARKEST_SUM = 60.0
FEATURES = 4


def build_green_package(
    folder: Path,
    *,
    height_px: int = 128,
    width_px: int = 128,
    top_k: int = 32,
    plant_cells: int = 5,
    nan_in: str | None = None,
    version: str = "0.0.1",
) -> Path:
    """Write a package into ``folder`` and return it.

    Things: 0 ``plant``, 1 ``leaf`` (part of a plant, grouped). ``plant_cells`` (odd) is the width in grid cells of the
    neighbourhood in which one plant is found; ``nan_in`` names a float output that is to hold NaN.
    """
    graph = green_graph(height_px, width_px, top_k, plant_cells, nan_in)
    return write_package(folder, graph.SerializeToString(), green_manifest(height_px, width_px, top_k, version))


def green_manifest(height_px: int = 128, width_px: int = 128, top_k: int = 32, version: str = "0.0.1") -> Manifest:
    """The manifest of the package, yet without its files."""
    return Manifest(
        name="green",
        version=version,
        input=GraphInput(height_px=height_px, width_px=width_px),
        classes=("background", "leaf"),
        plant_classes=("leaf",),
        things=(
            Thing(name="plant", threshold=0.1, count_trait="plant_count"),
            Thing(name="leaf", threshold=0.2, part_of="plant", grouped=True, count_trait="leaf_count"),
        ),
        top_k=top_k,
        features=FEATURES,
        traits=TRAIT_SETS["top_view"],
        files={},
        models={},
        lineage=Lineage(created_at=datetime(2024, 1, 1, tzinfo=timezone.utc)),
    )


def write_package(folder: Path, model: bytes, manifest: Manifest) -> Path:
    """Write ``model`` and the manifest that vouches for it, and for whatever else lies in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model)
    files = {
        str(path.relative_to(folder)): FileEntry(
            sha256=f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}", length_bytes=path.stat().st_size
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST_FILE
    }
    sealed = manifest.model_copy(update={"files": files, "models": {"fp32": MODEL_FILE}})
    (folder / MANIFEST_FILE).write_bytes(sealed.encode())
    return folder


class _Graph:
    """Collects nodes and constants under fresh names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: object) -> str:
        out = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [out], **attributes))
        return out

    def scalar(self, value: float) -> str:
        return self.constant(value, np.float32)


def green_graph(
    height_px: int, width_px: int, top_k: int, plant_cells: int = 5, nan_in: str | None = None
) -> onnx.ModelProto:
    """Excess green on the 1/4 grid → classes by a threshold, centers by the peaks of its density."""
    height, width = height_px // 4, width_px // 4
    g = _Graph()
    planes = g.add("Transpose", g.add("Cast", "image", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    bgr = g.add("AveragePool", planes, kernel_shape=[4, 4], strides=[4, 4])
    excess = g.add("Conv", bgr, g.constant(np.reshape([-1, 2, -1], (1, 3, 1, 1)), np.float32))
    total = g.add("Conv", bgr, g.constant(np.ones((1, 3, 1, 1)), np.float32))
    index = g.add("Div", excess, g.add("Max", total, g.scalar(DARKEST_SUM)))
    green = g.add("Cast", g.add("Greater", index, g.scalar(GREEN_ABOVE)), to=TensorProto.FLOAT)
    flat = g.add("Squeeze", green, g.constant([1], np.int64))
    g.add("Cast", flat, to=TensorProto.UINT8, out="classes")  # TensorRT has uint8 at the border only
    _add_centers(g, green, (height, width), top_k, plant_cells)
    g.add("Identity", g.constant(np.zeros((1, 2, height, width)), np.float32), out="offsets")
    _add_certainty(g, index, green)
    means = g.add("GlobalAveragePool", g.add("Concat", g.add("Div", bgr, g.scalar(255.0)), index, axis=1))
    g.add("Reshape", means, g.constant([1, FEATURES], np.int64), out="features")
    outputs = {
        "classes": (TensorProto.UINT8, [1, height, width]),
        "centers": (TensorProto.FLOAT, [1, top_k, 4]),
        "offsets": (TensorProto.FLOAT, [1, 2, height, width]),
        "certainty": (TensorProto.FLOAT, [1, 2]),
        "features": (TensorProto.FLOAT, [1, FEATURES]),
    }
    if nan_in is not None:
        _poison(g, nan_in)
    graph = helper.make_graph(
        g.nodes,
        "green",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height_px, width_px, 3])],
        [helper.make_tensor_value_info(name, *described) for name, described in outputs.items()],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _add_centers(g: _Graph, green: str, grid: tuple[int, int], top_k: int, plant_cells: int) -> None:
    """Peaks of the density of green, smoothed over the size of a plant (thing 0) and of a leaf (thing 1)."""
    cells = grid[0] * grid[1]
    ramp = g.constant(np.linspace(0, 1e-3, cells, dtype=np.float32).reshape(1, 1, *grid), np.float32)
    maps = []
    for size in (plant_cells, 3):
        window = {"kernel_shape": [size, size], "pads": [size // 2] * 4}
        heat = green
        for _ in range(2):
            heat = g.add("AveragePool", heat, count_include_pad=1, **window)
        rank = g.add("Sub", heat, ramp)  # among equals the first is the peak
        peak = g.add("Equal", rank, g.add("MaxPool", rank, **window))
        maps.append(g.add("Mul", heat, g.add("Cast", peak, to=TensorProto.FLOAT)))
    flat = g.add("Reshape", g.add("Concat", *maps, axis=1), g.constant([1, -1], np.int64))
    g.nodes.append(helper.make_node("TopK", [flat, g.constant([top_k], np.int64)], ["score", "index"], axis=1))
    place = g.add("Mod", "index", g.constant(cells, np.int64))
    row = g.add("Div", place, g.constant(grid[1], np.int64))
    column = g.add("Mod", place, g.constant(grid[1], np.int64))
    thing = g.add("Div", "index", g.constant(cells, np.int64))
    floats = [g.add("Cast", name, to=TensorProto.FLOAT) for name in (row, column)]
    floats += ["score", g.add("Cast", thing, to=TensorProto.FLOAT)]
    last = g.constant([2], np.int64)
    g.add("Concat", *(g.add("Unsqueeze", name, last) for name in floats), axis=2, out="centers")


def _add_certainty(g: _Graph, index: str, green: str) -> None:
    """Mean over each class's cells of how far they lie on their side of the threshold, as a logistic."""
    distance = g.add("Sub", index, g.scalar(GREEN_ABOVE))
    belief = g.add("Sigmoid", g.add("Mul", distance, g.scalar(20.0)))
    shares = []
    for member, certain in (
        (g.add("Sub", g.scalar(1.0), green), g.add("Sub", g.scalar(1.0), belief)),
        (green, belief),
    ):
        total = g.add("ReduceSum", g.add("Mul", member, certain), keepdims=1)
        count = g.add("Max", g.add("ReduceSum", member, keepdims=1), g.scalar(1.0))
        shares.append(g.add("Reshape", g.add("Div", total, count), g.constant([1, 1], np.int64)))
    g.add("Concat", *shares, axis=1, out="certainty")


def _poison(g: _Graph, output: str) -> None:
    for node in g.nodes:
        if node.output[0] == output:
            node.output[0] = "sane"
    g.add("Add", "sane", g.scalar(float("nan")), out=output)
