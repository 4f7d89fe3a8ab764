"""From a trained network to a model package: files, what they measure, and a manifest that vouches for all of it."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from edge.backends import Backend, open_backend
from edge.contract.manifest import MANIFEST_FILE, FileEntry, Manifest, Precision
from edge.contract.reference import REFERENCE_FILE
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.settings import InferenceSettings
from export.card import model_card
from export.compat import check
from export.golden import write_golden
from export.half import to_fp16
from export.parity import compare
from export.quantize import to_int8
from export.to_onnx import to_float_graph, with_border
from training.checkpoint import CHECKPOINT_FILE, save_network
from training.evaluate import torch_look
from training.network import Network
from training.pool import Examples
from training.reference import make_reference

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Pictures that a package is made with: to calibrate, to admit by, and to show what it gave.

    ``calibration`` and ``golden`` are pictures of any size, uint8 [h, w, 3] BGR.
    """

    calibration: Sequence[Picture]
    held_back: Examples
    golden: Sequence[Picture]


def build_package(
    network: Network, draft: Manifest, evidence: Evidence, precisions: Sequence[Precision], folder: Path, note: str = ""
) -> ModelPackage:
    """Export, admit and write a package; ``folder`` appears, or is replaced, only when every file has been admitted.

    ``note`` is Markdown that is added to the model card.

    Raises:
        ParityRefused: a file measures worse than the network.
        PackageInvalid: what was written cannot be opened as a package.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        models = _write_models(network, draft, evidence.calibration, precisions, partial)
        package = _seal(partial, draft.model_copy(update={"models": models}))
        metrics = _admit(network, package, evidence.held_back)
        first, backend = precisions[0], open_precision(package, precisions[0])
        reference = make_reference(package, first, backend, evidence.calibration)
        (partial / REFERENCE_FILE).write_text(reference.model_dump_json(indent=1) + "\n", encoding="utf-8")
        write_golden(partial, draft, backend, evidence.golden)
        manifest = package.manifest.model_copy(update={"metrics": metrics})
        save_network(network, partial / CHECKPOINT_FILE, torch.float16)
        (partial / "MODEL_CARD.md").write_text(model_card(manifest, note), encoding="utf-8")
        _seal(partial, manifest)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ModelPackage.open(folder)


def open_precision(package: ModelPackage, precision: Precision) -> Backend:
    """The device's backend on one file of a package.

    Not validated: a device's settings offer only what its CPU is meant to run, and the TensorRT file is checked too.
    """
    settings: dict[str, Any] = {"package": package.path, "precision": precision, "threads": 1}
    return open_backend(package, InferenceSettings.model_construct(None, **settings))


def _write_models(
    network: Network, draft: Manifest, calibration: Sequence[Picture], precisions: Sequence[Precision], folder: Path
) -> dict[Precision, str]:
    size = draft.input
    graph = to_float_graph(network, size.height_px, size.width_px, draft.top_k)
    fitted = [fit(picture, size.height_px, size.width_px)[0] for picture in calibration]
    models: dict[Precision, str] = {}
    for precision in precisions:
        models[precision] = f"model.{precision}.onnx"
        model = with_border(convert(graph, precision, fitted))
        if precision != "int8.cpu":  # every other file is for a device with TensorRT
            check(model, "tensorrt-10", models[precision])
        onnx.save(model, folder / models[precision])
    return models


def convert(graph: onnx.ModelProto, precision: Precision, fitted: Sequence[Picture]) -> onnx.ModelProto:
    """A float graph in another precision, calibrated on pictures of its input's size, uint8 [1, H, W, 3]."""
    if precision == "fp16":
        return to_fp16(graph)
    if precision == "int8.cpu":
        return to_int8(graph, fitted, "cpu")
    if precision == "int8.trt":
        return to_int8(graph, fitted, "trt")
    return graph


def _admit(network: Network, package: ModelPackage, held_back: Examples) -> dict[str, dict[str, float]]:
    reference = torch_look(network, package.manifest.top_k)
    metrics: dict[str, dict[str, float]] = {}
    for precision in package.manifest.models:
        parity = compare(reference, open_precision(package, precision).infer, package.manifest, held_back)
        parity.check(f"model.{precision}.onnx")
        metrics |= {"fp32": parity.reference, precision: parity.candidate}
    return metrics


def _seal(folder: Path, manifest: Manifest) -> ModelPackage:
    """Write the manifest over every file in the folder, and read the package back as a device would."""
    files = {
        path.relative_to(folder).as_posix(): _entry(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST_FILE
    }
    sealed = manifest.model_copy(update={"files": files})
    content = json.dumps(json.loads(sealed.encode()), indent=1, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(content + "\n", encoding="utf-8")
    return ModelPackage.open(folder)


def _entry(path: Path) -> FileEntry:
    content = path.read_bytes()
    return FileEntry(sha256=f"sha256:{hashlib.sha256(content).hexdigest()}", length_bytes=len(content))
