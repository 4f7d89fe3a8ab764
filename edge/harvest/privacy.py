"""What nobody shall see is made black before anything is written: the picture that is kept never had it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.settings import GridPlots, PlotSettings
from edge.settings.harvest import PrivacySettings

Mask = NDArray[np.bool_]


def visible(height: int, width: int, settings: PrivacySettings, plots: PlotSettings | None) -> Mask | None:
    """Which pixels may be seen, bool [height, width]; None: all of them.

    Raises:
        ValueError: only the plots may be seen, and the camera has none.
    """
    if not settings.blank and not settings.plots_only:
        return None
    seen = np.ones((height, width), np.bool_)
    if settings.plots_only:
        if plots is None:
            raise ValueError("privacy.plots_only, and the camera has no plots: draw them (canopy calibrate plots)")
        seen &= _plots_area(height, width, plots)
    for part in settings.blank:  # a pixel that is touched is black, so that the border is on the safe side
        rows = slice(int(np.floor(part.top * height)), int(np.ceil(part.bottom * height)))
        columns = slice(int(np.floor(part.left * width)), int(np.ceil(part.right * width)))
        seen[rows, columns] = False
    return seen


def blanked(pixels: NDArray[np.uint8], seen: Mask | None) -> NDArray[np.uint8]:
    """A picture, uint8 [H, W, 3], without what may not be seen; itself where all may be."""
    return pixels if seen is None else np.where(seen[:, :, None], pixels, np.uint8(0))


def _plots_area(height: int, width: int, plots: PlotSettings) -> Mask:
    if isinstance(plots, GridPlots):
        (left, top), (right, bottom) = plots.top_left, plots.bottom_right
        outlines = [[(left, top), (right, top), (right, bottom), (left, bottom)]]
    else:
        outlines = list(plots.outlines.values())
    area = np.zeros((height, width), np.uint8)
    for outline in outlines:
        corners = np.rint(np.array(outline) * (width - 1, height - 1)).astype(np.int32)
        cv2.fillPoly(area, [corners], 1)
    return area.astype(np.bool_)
