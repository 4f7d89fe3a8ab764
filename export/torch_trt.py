"""The direct path from the network to an engine, for those who have torch-tensorrt; ONNX stays the main route.

torch-tensorrt needs a CUDA build of torch and NVIDIA's libraries, so it stands in no requirement of ours; install the
release that fits torch 2.13, and note that no release after 2.8 has wheels for an Orin.
"""

from typing import Any

import torch
from torch import Tensor, nn

from edge.contract.manifest import Manifest
from edge.errors import BackendMissing, BuildFailed
from training.graph import Graph
from training.network import Network, fold


class Bordered(nn.Module):
    """The graph behind the contract's input, uint8 [1, H, W, 3] BGR, as ``to_onnx.with_border`` makes it in ONNX."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The contract's outputs, in its order."""
        outputs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] = self.graph(image.float().permute(0, 3, 1, 2) / 255)
        return outputs


def serialized_engine(network: Network, manifest: Manifest, workspace_bytes: int) -> tuple[bytes, str]:
    """Build an engine of a network in its own precision; the plan, and what built it.

    torch-tensorrt gives the tensors names of its own, in the order of the graph contract.

    Raises:
        BackendMissing: torch-tensorrt is not installed, or not for this torch.
        BuildFailed: it cannot convert the network.
    """
    torch_tensorrt = _import()
    graph = Bordered(Graph(fold(network), manifest.top_k)).eval()
    example = torch.zeros(1, manifest.input.height_px, manifest.input.width_px, 3, dtype=torch.uint8)
    try:
        plan = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
            torch.export.export(graph, (example,)),
            arg_inputs=[torch_tensorrt.Input(shape=tuple(example.shape), dtype=example.dtype)],
            use_explicit_typing=True,
            workspace_size=workspace_bytes,
        )
    except Exception as error:  # whatever its converters, torch and TensorRT raise: this is the seam
        raise BuildFailed(f"torch-tensorrt cannot convert the network: {error}; use the ONNX file") from error
    return bytes(plan), f"torch-tensorrt {torch_tensorrt.__version__}"


def _import() -> Any:
    try:
        import torch_tensorrt  # noqa: PLC0415  few have it, and it loads CUDA
    except (ImportError, OSError, AssertionError) as error:  # the last by a torch without CUDA
        raise BackendMissing(
            f"torch-tensorrt cannot be imported: {error}; it needs a CUDA build of torch. ONNX needs neither: "
            "canopy-export engine without --torch"
        ) from error
    return torch_tensorrt
