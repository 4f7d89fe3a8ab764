"""Pictures and text by which a person checks what was found, over ssh too."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.pots import Proposal

LINE = (0, 220, 255)
PLANT = (60, 255, 60)
STRAY = (60, 60, 255)


def with_plots(picture: NDArray[np.uint8], proposal: Proposal) -> NDArray[np.uint8]:
    """``picture`` with each plot's outline and name, its plants in green and what belongs to no plot in red."""
    drawn = picture.copy()
    width = max(1, round(max(picture.shape) / 640))
    for name, outline in proposal.outlines.items():
        cv2.polylines(drawn, [np.rint(outline).astype(np.int32)], True, LINE, width, cv2.LINE_AA)
        x, y = outline.mean(axis=0)
        place = round(outline[:, 0].min() + 4 * width), round(outline[:, 1].min() + 14 * width)
        cv2.putText(drawn, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42 * width, LINE, width, cv2.LINE_AA)
        cv2.circle(drawn, (round(x), round(y)), width, LINE, -1)
    for points, colour in ((proposal.planted, PLANT), (proposal.strays, STRAY)):
        for x, y in points:
            cv2.circle(drawn, (round(x), round(y)), 6 * width, colour, width, cv2.LINE_AA)
    return np.asarray(drawn, np.uint8)


def with_outline(
    picture: NDArray[np.uint8], outline: NDArray[np.float64], marks: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """``picture`` with a closed line and marks in it: a board with its corners, a card with its patches."""
    drawn = picture.copy()
    width = max(1, round(max(picture.shape) / 640))
    cv2.polylines(drawn, [np.rint(outline).astype(np.int32)], True, LINE, width, cv2.LINE_AA)
    for x, y in marks:
        cv2.circle(drawn, (round(x), round(y)), 3 * width, PLANT, width, cv2.LINE_AA)
    return np.asarray(drawn, np.uint8)


def text_map(proposal: Proposal, columns: int = 80) -> str:
    """The plots as text: a filled circle where a plant was found, a ring where none was."""
    wide = len(f"R{proposal.rows}C{proposal.columns}") + 3
    shown = max(1, min(proposal.columns, (columns - 2) // wide))
    lines = []
    for row in range(1, proposal.rows + 1):
        names = [f"R{row}C{column}" for column in range(1, shown + 1)]
        cells = (f"{'●' if name in proposal.planted_in else '○'} {name}" for name in names)
        lines.append(" ".join(cell.ljust(wide - 1) for cell in cells) + (" …" if shown < proposal.columns else ""))
    return "\n".join(lines)
