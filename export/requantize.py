"""An ONNX file of ours and pictures in; INT8 and FP16 files out, with what each one moved."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Precision
from edge.contract.message import Digest
from edge.errors import ConfigError
from edge.preprocess import fit
from export.compat import OLDEST_TARGET, Incompatible, check, check_versions, read_graph
from export.heads import with_one_head
from export.package import content_digest, convert
from export.sensitivity import PICTURES, LayerCost, answers, moved, sensitivity
from export.to_onnx import with_border, without_border

REPORT_FILE: Final = "quantize.json"


@dataclass(frozen=True, slots=True)
class Quantized:
    """A file that was written; ``moved``: by output, its mean difference from the float graph's by its mean."""

    precision: Precision
    sha256: Digest
    length_bytes: int
    moved: dict[str, float]


@dataclass(frozen=True, slots=True)
class Requantized:
    """What came of a float file, and what it was calibrated on."""

    source: Digest
    calibration: Digest
    pictures: int
    left_in_float: list[str]
    files: list[Quantized]
    layers: list[LayerCost]


def requantize(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    folder: Path,
    precisions: Sequence[Precision],
    leave: Sequence[str] = (),
    *,
    layers: bool = False,
) -> Requantized:
    """Quantise the float graph in ``path`` and write the files, and a report of them, into ``folder``.

    ``pictures`` uint8 [h, w, 3] BGR, of any size; ``leave`` names layers that stay in float; ``layers`` asks what each
    layer would cost alone.

    Raises:
        ConfigError: there are no pictures.
        Incompatible: ``path`` is no float graph behind the contract's input, or what came of it would not be built.
    """
    graph, height_px, width_px = without_border(read_graph(path))
    fitted = [fit(picture, height_px, width_px)[0] for picture in pictures]
    if not fitted:
        raise ConfigError("there are no pictures to calibrate on; give JPEG or PNG files, or folders that hold some")
    quantizable = with_one_head(graph, fitted)
    unknown = sorted({*leave} - {node.name for node in quantizable.graph.node if node.op_type == "Conv"})
    if unknown:
        raise Incompatible(
            f"{path} has no convolution {', '.join(unknown)} that could stay in float; --layers lists all"
        )
    shown = fitted[:PICTURES]
    exact, files = answers(graph, shown), []
    folder.mkdir(parents=True, exist_ok=True)
    for precision in precisions:
        inner = convert(graph, precision, fitted, leave)
        model, name = with_border(inner), f"model.{precision}.onnx"
        check_versions(model, name)
        if precision != "int8.cpu":
            check(model, OLDEST_TARGET, name)
        content = model.SerializeToString()
        (folder / name).write_bytes(content)
        files.append(Quantized(precision, _digest(content), len(content), moved(exact, answers(inner, shown))))
    costs = sensitivity(quantizable, fitted, "cpu") if layers else []
    made = Requantized(_digest(path.read_bytes()), content_digest(fitted), len(fitted), list(leave), files, costs)
    (folder / REPORT_FILE).write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
    return made


def _digest(content: bytes) -> Digest:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
