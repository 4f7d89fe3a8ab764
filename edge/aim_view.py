"""An aimed camera as the technician sees it in a terminal: bars, advice, and the picture by half blocks."""

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import ConsoleDimensions, Group, RenderableType
from rich.style import Style
from rich.text import Text

from edge.aim import Aim, advice
from edge.views import facts_table

BAR = 32
LEVELS = " ▁▂▃▄▅▆▇█"
HALF = "▀"
LEAST_PICTURE_ROWS = 6
PICTURE_COLUMNS = 78


def aim_view(
    camera: str, found: Aim, best_focus: float, picture: NDArray[np.uint8], size: ConsoleDimensions
) -> RenderableType:
    """Numbers above, the picture below, in what room there is."""
    told = advice(found, best_focus)
    facts = facts_table()
    facts.add_row("focus", focus_bar(found.focus, best_focus))
    facts.add_row("exposure", Text(histogram_bar(found.histogram)))
    facts.add_row("", f"dark {'':>{len(found.histogram) - 11}}bright   median {found.median:.0f}, {_lost(found)}")
    lean = "no straight edges to judge by" if found.lean_deg is None else f"edges lean by {found.lean_deg:+.1f}°"
    facts.add_row("level", lean)
    facts.add_row("", Text(told[0], "yellow") if told else Text("nothing to mend", "green"))
    rows = min(size.height - 8, round(PICTURE_COLUMNS * found.height_px / found.width_px / 2))
    head = Text(f"{camera}, {found.width_px} × {found.height_px} px; Ctrl-C ends", "dim")
    if rows < LEAST_PICTURE_ROWS:
        return Group(head, facts)
    return Group(head, facts, half_blocks(picture, rows, min(PICTURE_COLUMNS, size.width - 2)))


def focus_bar(focus: float, best: float) -> Text:
    """How sharp it is against the sharpest so far, which keeps its mark."""
    share = focus / best if best else 0.0
    filled = round(share * BAR)
    style = "green" if share >= 0.95 else "yellow" if share >= 0.8 else "red"
    bar = Text("█" * filled, style).append("·" * (BAR - filled), "dim").append("▏", "bold")
    return bar.append(f" {focus:,.1f}, {share:.0%} of the best, {best:,.1f}", "default")


def histogram_bar(shares: tuple[float, ...]) -> str:
    """Shares of the bins as eighths of a line, against the fullest; a square root lets the small ones be seen."""
    most = max(shares) or 1.0
    return "".join(LEVELS[int(np.ceil((share / most) ** 0.5 * 8))] for share in shares)


def half_blocks(picture: NDArray[np.uint8], rows: int, columns: int) -> Text:
    """The picture in a terminal: each character shows two pixels, one above the other."""
    width = min(columns, round(2 * rows * picture.shape[1] / picture.shape[0]))
    small = cv2.resize(picture, (max(1, width), 2 * rows), interpolation=cv2.INTER_AREA)[..., ::-1].tolist()
    drawn = Text(no_wrap=True)
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            drawn.append(HALF, Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        drawn.append("\n")
    return drawn


def _lost(found: Aim) -> str:
    return f"{found.bright_share:.1%} blown, {found.dark_share:.1%} black"
