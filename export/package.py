"""From a trained network to a model package: files, what they measure, and a manifest that vouches for all of it."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from edge.contract.manifest import MANIFEST_FILE, FileEntry, Manifest, Precision
from edge.contract.message import Digest
from edge.contract.reference import REFERENCE_FILE
from edge.package import ModelPackage
from edge.preprocess import fit
from export.backends import open_precision
from export.card import Story, model_card
from export.compat import OLDEST_TARGET, check, check_versions
from export.golden import write_golden
from export.half import to_fp16
from export.heads import with_one_head
from export.parity import Parity, ParityRefused, Yardstick
from export.quantize import Target, to_int8
from export.sensitivity import LayerCost, sensitivity
from export.speed import this_machine, time_models
from export.to_onnx import to_float_graph, with_border
from training.checkpoint import CHECKPOINT_FILE, save_network
from training.evaluate import torch_look
from training.network import Network
from training.pool import Examples
from training.reference import make_reference

Picture = NDArray[np.uint8]

MAX_LEFT: Final = 4
"""Layers that may stay in float; a file that needs more is not worth being called INT8: train it with ``quantized``."""


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
    """Export, admit and write a package; ``folder`` appears, or is replaced, only when all of it is there.

    An INT8 file that the gate refuses is left out, and the model card says why: a device then runs another.
    ``note`` is Markdown that is added to the model card.

    Raises:
        ParityRefused: a float file measures worse than the network, or no file was admitted.
        PackageInvalid: what was written cannot be opened as a package.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        forge = _Forge(network, draft, evidence, partial)
        for precision in precisions:
            forge.add(precision)
        if not forge.models:
            raise ParityRefused("; ".join(forge.refused.values()))
        package = forge.seal()
        first = next(iter(package.manifest.models))
        backend = open_precision(package, first)
        reference = make_reference(package, first, backend, evidence.calibration)
        (partial / REFERENCE_FILE).write_text(reference.model_dump_json(indent=1) + "\n", encoding="utf-8")
        write_golden(partial, draft, backend, evidence.golden)
        save_network(network, partial / CHECKPOINT_FILE, torch.float16)
        sealed = _seal(partial, package.manifest.model_copy(update={"metrics": forge.metrics}))
        story = Story(note, forge.left, forge.refused, time_models(sealed), this_machine())
        (partial / "MODEL_CARD.md").write_text(model_card(sealed.manifest, story), encoding="utf-8")
        _seal(partial, sealed.manifest)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ModelPackage.open(folder)


class _Forge:
    """Writes one model after the other into a package's folder, each when it has been admitted.

    Attributes:
        metrics: what was measured, by precision, and ``fp32``.
        left: by precision, the layers that stay in float because the gate refused them in INT8, and what each costs.
        refused: by precision, why a file is not in the package.
    """

    def __init__(self, network: Network, draft: Manifest, evidence: Evidence, folder: Path) -> None:
        size = draft.input
        self.folder = folder
        self.graph = to_float_graph(network, size.height_px, size.width_px, draft.top_k)
        self.fitted = [fit(picture, size.height_px, size.width_px)[0] for picture in evidence.calibration]
        lineage = draft.lineage.model_copy(update={"calibration": content_digest(self.fitted)})
        self.draft = draft.model_copy(update={"lineage": lineage})
        self.yardstick = Yardstick(torch_look(network, draft.top_k), draft, evidence.held_back)
        self.models: dict[Precision, str] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.left: dict[Precision, list[LayerCost]] = {}
        self.refused: dict[Precision, str] = {}

    def add(self, precision: Precision) -> None:
        """Make, admit and keep a model; an INT8 one that is refused is left out.

        Raises:
            ParityRefused: a float one measures worse than the network.
        """
        self.models[precision] = name = f"model.{precision}.onnx"
        try:
            parity = self._admitted(precision, name)
        except ParityRefused as refusal:
            if not precision.startswith("int8"):
                raise
            self.refused[precision] = str(refusal)
            del self.models[precision]
            (self.folder / name).unlink()
        else:
            self.metrics |= {"fp32": parity.reference, precision: parity.candidate}

    def seal(self) -> ModelPackage:
        """The package with the models that it has."""
        return _seal(self.folder, self.draft.model_copy(update={"models": dict(self.models)}))

    def _admitted(self, precision: Precision, name: str) -> Parity:
        """Write a model and what it measured; in INT8 with the layers in float that the gate asks for."""
        worst: list[LayerCost] = []
        left: list[LayerCost] = []
        while True:
            self._write(precision, name, [cost.layer for cost in left])
            look = open_precision(self.seal(), precision).infer
            parity = self.yardstick.compare(look)
            try:
                parity.check(name)
            except ParityRefused:
                if not precision.startswith("int8") or len(left) == MAX_LEFT:
                    raise
                worst = worst or sensitivity(with_one_head(self.graph, self.fitted), self.fitted, _target(precision))
                left.append(worst[len(left)])
            else:
                if left:
                    self.left[precision] = left
                return parity

    def _write(self, precision: Precision, name: str, left: Sequence[str]) -> None:
        model = with_border(convert(self.graph, precision, self.fitted, left))
        check_versions(model, name)
        if precision != "int8.cpu":  # every other file is for a device with TensorRT
            check(model, OLDEST_TARGET, name)
        onnx.save(model, self.folder / name)


def convert(
    graph: onnx.ModelProto, precision: Precision, fitted: Sequence[Picture], left: Sequence[str] = ()
) -> onnx.ModelProto:
    """A float graph in another precision, calibrated on pictures of its input's size, uint8 [1, H, W, 3].

    ``left`` names layers that INT8 leaves in float.
    """
    if precision == "fp16":
        return to_fp16(graph)
    if precision.startswith("int8"):
        return to_int8(with_one_head(graph, fitted), fitted, _target(precision), leave=left)
    return graph


def _target(precision: Precision) -> Target:
    return "cpu" if precision == "int8.cpu" else "trt"


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


def content_digest(pictures: Iterable[Picture]) -> Digest:
    """Of pictures, one after the other."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(picture.tobytes())
    return f"sha256:{digest.hexdigest()}"


def _entry(path: Path) -> FileEntry:
    content = path.read_bytes()
    return FileEntry(sha256=f"sha256:{hashlib.sha256(content).hexdigest()}", length_bytes=len(content))
