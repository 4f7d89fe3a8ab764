"""A technician's own pictures, to compare on what the camera really sees."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import CaptureError, EndOfSource, FrameUnreadable
from edge.settings import FolderSource
from edge.sources.folder import Folder

MAX_PICTURES: Final = 50


def pictures_in(folder: Path) -> list[NDArray[np.uint8]]:
    """The first pictures of a folder that can be read, uint8 [h, w, 3] BGR.

    Raises:
        CaptureError: there is none.
    """
    found: list[NDArray[np.uint8]] = []
    with Folder("accept", FolderSource(path=folder)) as source:
        while len(found) < MAX_PICTURES:
            try:
                found.append(source.read().pixels)
            except FrameUnreadable:
                continue
            except EndOfSource:
                break
    if not found:
        raise CaptureError(f"no picture in {folder} can be read; name a folder with good ones, or leave --pictures out")
    return found
