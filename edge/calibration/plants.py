"""Where the model finds plants in one picture."""

import numpy as np
from numpy.typing import NDArray

from edge.model import LoadedModel
from edge.preprocess import fit


def find_plants(picture: NDArray[np.uint8], model: LoadedModel) -> NDArray[np.float64]:
    """Middles (x, y) in px of everything that is no part of something else, float64 [n, 2].

    Raises:
        ModelError: the model failed.
    """
    entry = model.manifest.input
    image, placement = fit(picture, entry.height_px, entry.width_px)
    objects = model.segment(image, placement).objects
    whole = np.array([thing.part_of is None for thing in model.manifest.things])[objects.thing]
    y, x = placement.to_picture(objects.y[whole], objects.x[whole])
    return np.stack([x, y], axis=1)
