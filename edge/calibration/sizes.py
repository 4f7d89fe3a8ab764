"""Traits of size on the calibrated plane, in mm and mm²: each a function of a region and the plane."""

import math
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.plane import Plane
from edge.contract import traits as vocabulary
from edge.preprocess import GRID_STRIDE_PX
from edge.region import OUTLINE_LEAST, Contour, Estimate, Region
from edge.shape import EDGE_SD, END_SD

Size = Callable[[Region, Plane], Estimate | None]


def projected_leaf_area(region: Region, plane: Plane) -> Estimate:
    """Area of the pixels: in each cell as many as there are, each with that cell's size."""
    height, width = region.mask.shape
    size = width // GRID_STRIDE_PX, height // GRID_STRIDE_PX
    share = cv2.resize(region.mask, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    pixels = np.rint(share * (GRID_STRIDE_PX**2 / 255))
    row, column = _first_cell(region, plane)
    sizes = plane.pixel_mm2[row : row + size[1], column : column + size[0]]
    area = float((pixels * sizes).sum())
    return _area(area, EDGE_SD * region.edge_pixels * area / region.area, region, plane)


def convex_hull_area(region: Region, plane: Plane) -> Estimate | None:
    """Area of the hull, its corners carried to the plane."""
    if len(region.outline) < OUTLINE_LEAST:
        return None
    hull = cv2.convexHull(_hull_mm(region, plane))
    edge = EDGE_SD * cv2.arcLength(hull, closed=True) * _pixel_mm(region, plane)
    area = float(cv2.contourArea(hull))
    return _area(area, edge, region, plane) if area else None


def perimeter(region: Region, plane: Plane) -> Estimate | None:
    """Length of the outline, carried to the plane."""
    if len(region.outline) < OUTLINE_LEAST:
        return None
    length = float(cv2.arcLength(_on_plane(region.outline, region, plane), closed=True))
    return Estimate(length) if length else None


def extent_x(region: Region, plane: Plane) -> Estimate:
    """Width of the box along the plane's x axis, which is the picture's in its middle."""
    return _span(0, region, plane)


def extent_y(region: Region, plane: Plane) -> Estimate:
    """Height of the box along the plane's y axis."""
    return _span(1, region, plane)


def _span(axis: int, region: Region, plane: Plane) -> Estimate:
    side = _pixel_mm(region, plane)
    length = float(np.ptp(_hull_mm(region, plane)[:, 0, axis])) + side
    ends = math.sqrt(2) * END_SD * side
    return Estimate(length, math.hypot(ends, length * _relative_sd(region, plane)))


def _area(area: float, edge_sd: float, region: Region, plane: Plane) -> Estimate:
    """A relative error of lengths is twice one of areas."""
    return Estimate(area, math.hypot(edge_sd, 2 * area * _relative_sd(region, plane)))


@lru_cache(maxsize=1)
def _hull_mm(region: Region, plane: Plane) -> NDArray[np.float32]:
    """The hull in mm, which three traits of a region ask for one after the other."""
    return _on_plane(region.hull, region, plane)


def _on_plane(contour: Contour, region: Region, plane: Plane) -> NDArray[np.float32]:
    """A contour of the region in mm, float32 [n, 1, 2]."""
    corner = region.left_px, region.top_px
    return plane.to_mm((contour[:, 0].astype(np.float64) + 0.5) * region.pixel_px + corner)[:, None]


def _first_cell(region: Region, plane: Plane) -> tuple[int, int]:
    place = plane.placement
    row = round((region.top_px * place.scale + place.top_px) / GRID_STRIDE_PX)
    return row, round((region.left_px * place.scale + place.left_px) / GRID_STRIDE_PX)


def _middle(region: Region, plane: Plane) -> tuple[int, int]:
    row, column = _first_cell(region, plane)
    y, x = region.centre
    return row + int(y) // GRID_STRIDE_PX, column + int(x) // GRID_STRIDE_PX


def _pixel_mm(region: Region, plane: Plane) -> float:
    """Side of a pixel of the network's input in the middle of the region."""
    return math.sqrt(plane.pixel_mm2[_middle(region, plane)])


def _relative_sd(region: Region, plane: Plane) -> float:
    return float(plane.relative_sd[_middle(region, plane)])


SIZES: dict[str, Size] = {
    vocabulary.PROJECTED_LEAF_AREA.name: projected_leaf_area,
    vocabulary.CONVEX_HULL_AREA.name: convex_hull_area,
    vocabulary.PERIMETER.name: perimeter,
    vocabulary.EXTENT_X.name: extent_x,
    vocabulary.EXTENT_Y.name: extent_y,
    vocabulary.WIDTH.name: extent_x,
    vocabulary.HEIGHT.name: extent_y,
}
"""Trait → how it is measured on the plane; every other trait is as in the picture."""
