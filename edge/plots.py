"""Plots: places in the picture that hold one plant each, or that are looked at as one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.preprocess import Placement
from edge.settings import GridPlots, PlotSettings, Point, PolygonPlots

WHOLE_PICTURE = "frame"
"""Name of the one plot of a camera that has none configured."""

NO_PLOT = -1


@dataclass(frozen=True, slots=True, eq=False)
class PlotMap:
    """Plots drawn on the graph's grid for one placement of the picture.

    Attributes:
        names: the plots' names.
        labels: which plot each cell's middle lies in: index in ``names``, or ``NO_PLOT``, int32 [h, w].
        cells: how many cells each plot has, at least one, int64 [len(names)].
        placement: where the picture lies.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int32]
    cells: NDArray[np.int64]
    placement: Placement


class Plots:
    """A camera's plots, drawn once for each size of picture that it gives."""

    def __init__(self, settings: PlotSettings | None) -> None:
        self._settings = settings or GridPlots(rows=1, columns=1)
        self.names = _names(settings)
        self._map: PlotMap | None = None

    def on(self, placement: Placement) -> PlotMap:
        """The plots on the grid.

        Raises:
            ConfigError: a plot is too small to hold a cell, or hidden by those before it.
        """
        if self._map is None or self._map.placement != placement:
            self._map = self._drawn(placement)
        return self._map

    def _drawn(self, placement: Placement) -> PlotMap:
        rows, columns = np.indices(placement.grid_shape)
        y_px, x_px = placement.to_picture(rows, columns)
        y, x = y_px / placement.height_px, x_px / placement.width_px
        labels = np.full(placement.grid_shape, NO_PLOT, np.int32)
        region = placement.grid_region
        labels[region] = _draw(self._settings, y[region], x[region])
        cells = np.bincount(labels[labels != NO_PLOT], minlength=len(self.names))
        if not cells.all():
            raise ConfigError(
                f"plot {self.names[int(np.argmin(cells))]} holds no cell of {placement.cell_px:.1f} px: it is too "
                "small, or lies under plots listed before it; redraw the camera's plots"
            )
        return PlotMap(self.names, labels, cells, placement)


def _names(settings: PlotSettings | None) -> tuple[str, ...]:
    if settings is None:
        return (WHOLE_PICTURE,)
    if isinstance(settings, PolygonPlots):
        return tuple(settings.outlines)
    return tuple(f"R{row}C{column}" for row in range(1, settings.rows + 1) for column in range(1, settings.columns + 1))


def _draw(settings: PlotSettings, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the plot in which each point lies, given as fractions of the picture, or ``NO_PLOT``."""
    return _grid(settings, y, x) if isinstance(settings, GridPlots) else _polygons(settings, y, x)


def _grid(settings: GridPlots, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.int64]:
    (left, top), (right, bottom) = settings.top_left, settings.bottom_right
    row = np.floor((y - top) / (bottom - top) * settings.rows)
    column = np.floor((x - left) / (right - left) * settings.columns)
    inside = (row >= 0) & (row < settings.rows) & (column >= 0) & (column < settings.columns)
    return np.where(inside, row * settings.columns + column, NO_PLOT).astype(np.int64)


def _polygons(settings: PolygonPlots, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.int64]:
    """Where outlines overlap, the one listed first has the cell."""
    labels = np.full(y.shape, NO_PLOT, np.int64)
    for index, outline in reversed(list(enumerate(settings.outlines.values()))):
        labels[_within(outline, y, x)] = index
    return labels


def _within(outline: list[Point], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Even-odd rule: inside is where a ray to the right crosses the outline an odd number of times."""
    inside = np.zeros(y.shape, np.bool_)
    for (x1, y1), (x2, y2) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return inside
