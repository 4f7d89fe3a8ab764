"""What was found, drawn into the picture: plants, leaves, plots with their names and counts.

Shapes carry the meaning and colours only help: plants have a double outline, leaves a dot, plots a thin frame. The
colours are those of Okabe and Ito (2008), which people with any colour vision tell apart, without green, which plants
have already.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.lookout import View
from edge.segmentation import NONE
from edge.settings import PlotSettings, Point, PolygonPlots
from edge.traits import PlotTraits

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
YELLOW, SKY, VERMILION = (66, 228, 240), (233, 180, 86), (0, 94, 213)
"""BGR."""

LEAST_SIDE_PX, LARGEST_SIDE_PX = 960, 1280
"""Enough to read by; drawing beside a daemon takes memory by the pixel."""

HALF = 127
FONT = cv2.FONT_HERSHEY_SIMPLEX
COUNTS = {"plant_count": ("plant", "plants"), "leaf_count": ("leaf", "leaves"), "fruit_count": ("fruit", "fruit")}
STAGES = {"fruit_count_green": "green", "fruit_count_turning": "turning", "fruit_count_ripe": "ripe"}


def picture_of(view: View) -> Picture:
    """A view's picture, uint8 [h, w, 3]: whole if it has that, else as the network saw it."""
    return view.frame.pixels if view.frame.pixels.size else view.image[0][view.placement.region]


def overlay(view: View) -> Picture:
    """The picture with everything that was found, its longer side between 960 and 1280 px, uint8 [h, w, 3]."""
    drawn = _sized(picture_of(view))
    if view.segmentation is not None and view.plots is not None:
        _draw_plants(drawn, view)
        _draw_plots(drawn, view)
    _write_line(drawn, summary(view))
    return drawn


def with_plot_frames(picture: Picture, plots: PlotSettings | None) -> Picture:
    """A copy of a raw picture with the frames of the configured plots: what the camera is to be aimed at."""
    drawn = np.ascontiguousarray(picture.copy())
    size = np.array([drawn.shape[1], drawn.shape[0]])
    for outline in _outlines(plots):
        cv2.polylines(drawn, [np.round(np.array(outline) * size).astype(np.int32)], True, SKY, 1, cv2.LINE_AA)
    return drawn


def _outlines(plots: PlotSettings | None) -> list[list[Point]]:
    """Corners of each plot as shares of the picture."""
    if plots is None:
        return []
    if isinstance(plots, PolygonPlots):
        return list(plots.outlines.values())
    (left, top), (right, bottom) = plots.top_left, plots.bottom_right
    width, height = (right - left) / plots.columns, (bottom - top) / plots.rows
    corners = [
        (left + column * width, top + row * height) for row in range(plots.rows) for column in range(plots.columns)
    ]
    return [[(x, y), (x + width, y), (x + width, y + height), (x, y + height)] for x, y in corners]


def jpeg(picture: Picture, quality: int = 90) -> bytes:
    """The picture as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def jpeg_within(picture: Picture, max_bytes: int) -> bytes:
    """The picture as JPEG of at most ``max_bytes``: at less quality, and then smaller, until it fits.

    Raises:
        ValueError: not even a thumbnail fits.
    """
    while True:
        for quality in (95, 85, 70, 55):
            if len(encoded := jpeg(picture, quality)) <= max_bytes:
                return encoded
        if min(picture.shape[:2]) < 32:
            raise ValueError(f"no picture fits in {max_bytes} bytes")
        picture = cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)


def _sized(picture: Picture) -> Picture:
    """A copy that is large enough to write on, and small enough to look at."""
    longer_px = max(picture.shape[:2])
    factor = min(max(1.0, LEAST_SIDE_PX / longer_px), LARGEST_SIDE_PX / longer_px)
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.array(picture if factor == 1 else cv2.resize(picture, None, fx=factor, fy=factor, interpolation=how))


def _draw_plants(drawn: Picture, view: View) -> None:
    """Each plant's outline, thin lines between its leaves, and a dot on each leaf."""
    assert view.segmentation is not None  # noqa: S101 - the caller's condition, for the type checker
    found, region = view.segmentation, view.placement.grid_region
    size = drawn.shape[1::-1]
    plant = cv2.resize(found.plant[region].view(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR) > HALF
    leaves = cv2.resize(found.instances[region].astype(np.int16), size, interpolation=cv2.INTER_NEAREST)
    drawn[_edges(leaves) & plant] = WHITE
    contours, _ = cv2.findContours(plant.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for colour, width_px in ((BLACK, 4), (YELLOW, 2)):
        cv2.drawContours(drawn, contours, -1, colour, width_px, cv2.LINE_AA)
    for y, x, parent, thing in zip(
        found.objects.y, found.objects.x, found.objects.parent, found.objects.thing, strict=True
    ):
        place = _place(view, drawn, float(y), float(x))
        if view.manifest.things[int(thing)].part_of is not None or parent != NONE:
            cv2.circle(drawn, place, 5, BLACK, -1, cv2.LINE_AA)
            cv2.circle(drawn, place, 3, WHITE, -1, cv2.LINE_AA)
        else:
            cv2.drawMarker(drawn, place, BLACK, cv2.MARKER_CROSS, 17, 5, cv2.LINE_AA)
            cv2.drawMarker(drawn, place, VERMILION, cv2.MARKER_CROSS, 15, 3, cv2.LINE_AA)


def _draw_plots(drawn: Picture, view: View) -> None:
    assert view.plots is not None  # noqa: S101 - the caller's condition, for the type checker
    labels = view.plots.labels[view.placement.grid_region]
    large = cv2.resize(labels.astype(np.int16), drawn.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    if len(view.plots.names) > 1:
        drawn[cv2.dilate(_edges(large).view(np.uint8), np.ones((2, 2), np.uint8)).view(np.bool_)] = SKY
    height, width = labels.shape
    for index, plot in enumerate(view.measured):
        rows, columns = np.nonzero(labels == index)
        if not rows.size:
            continue
        y_px, x_px = rows.min() * drawn.shape[0] / height, columns.min() * drawn.shape[1] / width
        room_px = (columns.max() + 1 - columns.min()) * drawn.shape[1] / width
        _write_in(drawn, (round(x_px) + 3, round(y_px) + 3), round(room_px) - 6, caption(plot))


def caption(plot: PlotTraits) -> tuple[str, ...]:
    """What to write on a plot, the longest first."""
    values = {trait.trait: round(trait.value) for trait in plot.traits}
    if not any(values.get(name) for name in COUNTS):
        return (f"{plot.plot} {plot.outcome.value.replace('_', ' ')}", f"{plot.plot} -", plot.plot)
    counts = [f"{values[name]} {words[values[name] != 1]}" for name, words in COUNTS.items() if name in values]
    stages = [f"{values[name]} {word}" for name, word in STAGES.items() if values.get(name)]
    short = [str(values[name]) for name in COUNTS if name in values]
    return (
        f"{plot.plot} {', '.join(counts + stages)}",
        f"{plot.plot} {', '.join(counts)}",
        f"{plot.plot} {counts[-1]}",
        f"{plot.plot} {'/'.join(short)}",
        plot.plot,
    )


def _write_in(drawn: Picture, corner: tuple[int, int], room_px: int, captions: tuple[str, ...]) -> None:
    """The longest caption that fits beside the others, in letters as large as they can be read."""
    for scale in (0.5, 0.4):
        for caption in captions[:-1] if scale > 0.4 else captions:
            width_px, _ = cv2.getTextSize(caption, FONT, scale, 1)[0]
            if width_px + 6 <= room_px:
                _write(drawn, caption, corner, scale)
                return
    _write(drawn, captions[-1], corner, 0.35)


def _write_line(drawn: Picture, text: str) -> None:
    """A line along the bottom."""
    scale = 0.55
    while scale > 0.35 and cv2.getTextSize(text, FONT, scale, 1)[0][0] > drawn.shape[1] - 12:
        scale -= 0.05
    _write(drawn, text, (4, drawn.shape[0] - 24), scale)


def _write(drawn: Picture, text: str, corner: tuple[int, int], scale: float) -> None:
    """White on a dark box, whatever lies below; ``corner`` is the box's top left."""
    (width_px, height_px), base_px = cv2.getTextSize(text, FONT, scale, 1)
    x, y = corner
    box = drawn[max(0, y) : y + height_px + base_px + 4, max(0, x) : x + width_px + 6]
    box //= 5
    cv2.putText(drawn, text, (x + 3, y + height_px + 2), FONT, scale, WHITE, 1, cv2.LINE_AA)


def summary(view: View) -> str:
    """Camera, time and what came of it, in ASCII, which is all that the font has."""
    model = f"{view.manifest.name} {view.manifest.version}"
    head = f"{view.frame.camera_id}  {view.frame.captured_at:%Y-%m-%d %H:%M:%S} UTC  {model}"
    flags = ", ".join(flag.value for flag in view.flags)
    if view.segmentation is None:
        return f"{head}  NOT MEASURED: {flags}"
    totals = dict.fromkeys((*COUNTS, *STAGES), 0)
    for trait in (trait for plot in view.measured for trait in plot.traits if trait.trait in totals):
        totals[trait.trait] += round(trait.value)
    counted = ", ".join(
        f"{total} {STAGES[name] if name in STAGES else COUNTS[name][total != 1]}"
        for name, total in totals.items()
        if total
    )
    plots = len(view.measured)
    return f"{head}  {plots} plot{'s' * (plots != 1)}: {counted or 'nothing found'}{f' ({flags})' if flags else ''}"


def _place(view: View, drawn: Picture, y: float, x: float) -> tuple[int, int]:
    """A place on the grid → x and y in the drawing."""
    y_px, x_px = view.placement.to_picture(np.array([y]), np.array([x]))
    share_y, share_x = y_px[0] / view.placement.height_px, x_px[0] / view.placement.width_px
    return round(share_x * drawn.shape[1]), round(share_y * drawn.shape[0])


def _edges(labels: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Where a label differs from that of its right or lower neighbour."""
    edges: NDArray[np.bool_] = np.zeros(labels.shape, np.bool_)
    edges[:, :-1] = labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    return edges
