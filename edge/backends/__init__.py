"""What runs a model: one interface, and the choice of its implementation."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.contract.manifest import Manifest
from edge.errors import InferenceFailed
from edge.package import ModelPackage
from edge.preprocess import GRID_STRIDE_PX
from edge.settings import InferenceSettings

Tensors = dict[str, tuple[DTypeLike | None, tuple[int, ...]]]


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """What the network says of one picture. All numbers are finite, all classes and things are the manifest's.

    Attributes:
        classes: the class of each cell of the grid, uint8 [h, w].
        centers: peaks: y and x (rows and columns of the grid), score (0: no peak), thing; float32 [K, 4].
        offsets: dy and dx, in cells, from each cell to the centre of its instance, float32 [2, h, w].
        certainty: mean certainty over the cells given to each class, float32 [C].
        features: summary of the picture for drift, float32 [D].
    """

    classes: NDArray[np.uint8]
    centers: NDArray[np.float32]
    offsets: NDArray[np.float32]
    certainty: NDArray[np.float32]
    features: NDArray[np.float32]


class Backend(ABC):
    """Runs one model. Implementations differ in the runtime only: the graph contract and its checks are kept here.

    Attributes:
        name: what runs, for the log and the health message.
    """

    name: str

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._inputs = graph_inputs(manifest)
        self._outputs = graph_outputs(manifest)

    def infer(self, image: NDArray[np.uint8]) -> Inference:
        """Run the network on a fitted picture, uint8 [1, H, W, 3], BGR.

        Raises:
            InferenceFailed: the picture has another shape, the runtime failed, or an output breaks the graph contract.
        """
        _check("image", image, *self._inputs["image"])
        try:
            outputs = self._run(image)
        except Exception as error:  # each runtime raises types of its own; this is the seam where they become ours
            raise InferenceFailed(
                f"{self.name} failed: {error}; check the model package and the free memory"
            ) from error
        for name, (dtype, shape) in self._outputs.items():
            _check(name, outputs.get(name), dtype, shape)
        _check_range("classes", outputs["classes"], len(self._manifest.classes))
        _check_range("centers", outputs["centers"][..., 3], len(self._manifest.things))
        return Inference(**{name: outputs[name][0] for name in self._outputs})

    @abstractmethod
    def _run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.generic]]:
        """The graph's outputs by their names; may raise anything."""


def open_backend(package: ModelPackage, settings: InferenceSettings) -> Backend:
    """Load the package's model of the configured precision.

    Raises:
        PackageInvalid: the package lacks it, or its file is not a graph as the manifest describes it.
    """
    from edge.backends.ort import OrtBackend  # noqa: PLC0415  loading a runtime takes a second and 60 MB

    return OrtBackend(package, settings)


def prepare(package: ModelPackage, settings: InferenceSettings, report: Callable[[float, str], None]) -> None:
    """Build what the backend needs beside the package's files, before anybody waits for it.

    ONNX Runtime needs nothing.
    """


def graph_inputs(manifest: Manifest) -> Tensors:
    """Type and shape of the graph's input."""
    return {"image": (np.uint8, (1, manifest.input.height_px, manifest.input.width_px, 3))}


def graph_outputs(manifest: Manifest) -> Tensors:
    """Types and shapes of the graph's outputs."""
    grid = (manifest.input.height_px // GRID_STRIDE_PX, manifest.input.width_px // GRID_STRIDE_PX)
    return {
        "classes": (np.uint8, (1, *grid)),
        "centers": (np.float32, (1, manifest.top_k, 4)),
        "offsets": (np.float32, (1, 2, *grid)),
        "certainty": (np.float32, (1, len(manifest.classes))),
        "features": (np.float32, (1, manifest.features)),
    }


def _check(name: str, tensor: NDArray[np.generic] | None, dtype: DTypeLike | None, shape: tuple[int, ...]) -> None:
    if tensor is None or tensor.dtype != dtype or tensor.shape != shape:
        found = "missing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
        raise InferenceFailed(f"tensor {name} is {found}, not {np.dtype(dtype)} {list(shape)}; check the model package")
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise InferenceFailed(f"tensor {name} holds NaN or infinity; the model is broken: install another package")


def _check_range(name: str, values: NDArray[np.generic], count: int) -> None:
    if values.size and not (values.min() >= 0 and values.max() < count and np.array_equal(values, np.trunc(values))):
        raise InferenceFailed(
            f"tensor {name} holds {values.min()} to {values.max()}, the manifest knows 0 to {count - 1}; "
            "the graph and the manifest do not belong together: install another package"
        )
