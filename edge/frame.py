"""A frame: pixels with their identity and time."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    Attributes:
        pixels: uint8 [H, W, 3], BGR, as the camera gives them.
        frame_id: counts the camera's pictures since it was opened, from 0.
        camera_id: the camera's name in the configuration.
        captured_at: wall time of the exposure, in UTC.
        monotonic_s: time of arrival by the clock that never jumps.
    """

    pixels: NDArray[np.uint8]
    frame_id: int
    camera_id: str
    captured_at: datetime
    monotonic_s: float
