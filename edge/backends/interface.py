"""A loaded graph against its manifest: names, types and shapes of what goes in and comes out."""

from pathlib import Path

import numpy as np

from edge.backends import Tensors, graph_inputs, graph_outputs
from edge.contract.manifest import Manifest
from edge.errors import PackageInvalid
from edge.package import MEND


def check_interface(path: Path, inputs: Tensors, outputs: Tensors, manifest: Manifest) -> None:
    """See that the graph in ``path`` has the inputs and outputs that ``manifest`` describes.

    Raises:
        PackageInvalid: it has others; says which.
    """
    for kind, found, expected in (
        ("input", inputs, graph_inputs(manifest)),
        ("output", outputs, graph_outputs(manifest)),
    ):
        if found != expected:
            raise PackageInvalid(
                f"{path} has the {kind}s {_listed(found)}, its manifest describes {_listed(expected)}; {MEND}"
            )


def _listed(tensors: Tensors) -> str:
    return ", ".join(f"{name} {dtype and np.dtype(dtype)} {list(shape)}" for name, (dtype, shape) in tensors.items())
