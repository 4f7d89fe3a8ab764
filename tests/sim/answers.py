"""A backend that gives the answer it is told to, through all checks of the real ones."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend, Inference, graph_outputs
from edge.contract.manifest import Manifest

Answer = dict[str, NDArray[np.generic] | None]


class AnswerBackend(Backend):
    """Answers every picture alike."""

    name = "answer"

    def __init__(self, manifest: Manifest, outputs: Mapping[str, NDArray[np.generic] | None]) -> None:
        super().__init__(manifest)
        self._answer = {name: value for name, value in outputs.items() if value is not None}

    def _run(self, image: NDArray[np.uint8]) -> Mapping[str, NDArray[np.generic]]:
        return self._answer


def answer(manifest: Manifest) -> Answer:
    """The answer that nothing was found."""
    return {name: np.zeros(shape, dtype) for name, (dtype, shape) in graph_outputs(manifest).items()}


def inference(manifest: Manifest, outputs: Mapping[str, NDArray[np.generic] | None]) -> Inference:
    """What the public interface makes of an answer."""
    size = manifest.input
    image = np.zeros((1, size.height_px, size.width_px, 3), np.uint8)
    return AnswerBackend(manifest, outputs).infer(image)


PLANT, LEAF = 0, 1


def scene(
    manifest: Manifest, plants: Sequence[tuple[float, float]] = (), leaves: Sequence[tuple[float, float, float]] = ()
) -> Answer:
    """The right answer for discs of leaf at (y, x, radius) and plant centres at (y, x), in cells of the grid."""
    outputs = answer(manifest)
    classes, offsets, centers = outputs["classes"], outputs["offsets"], outputs["centers"]
    assert classes is not None and offsets is not None and centers is not None  # noqa: PT018
    rows, columns = np.indices(classes.shape[1:])
    for y, x, radius in leaves:
        disc = np.hypot(rows - y, columns - x) <= radius
        classes[0, disc] = 1
        offsets[0, 0, disc] = (y - rows)[disc]
        offsets[0, 1, disc] = (x - columns)[disc]
    found = [(y, x, 0.9, PLANT) for y, x in plants] + [(y, x, 0.8, LEAF) for y, x, _ in leaves]
    for slot, peak in enumerate(found):
        centers[0, slot] = peak
    return outputs
