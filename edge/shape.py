"""Traits of size and shape: each a function of a region. Where PlantCV 4 has the trait, it is ``analyze.size``'s."""

import math
from collections.abc import Callable

import cv2

from edge.contract import traits as vocabulary
from edge.region import OUTLINE_LEAST, Estimate, Region

EDGE_SD = 0.5
"""How far the outline lies from the leaf's edge, in pixels, along all of it to the same side.

Between what is found on rendered trays (0.1) and on photographs, where of two masks of the same plants one lies 1.2 px
outside of ours and the other 0.5 px inside; docs/traits.md.
"""

END_SD = 1.0
"""The same at either end of a box, where leaves are thinner than the network's cells: 0.5 and 2."""


def projected_leaf_area(region: Region) -> Estimate:
    """Area of the pixels, px²."""
    scale = region.pixel_px**2
    return Estimate(region.area * scale, EDGE_SD * region.edge_pixels * scale)


def convex_hull_area(region: Region) -> Estimate | None:
    """Area of the polygon through the middles of the outermost pixels, px²."""
    if not (hull := _hull_area(region)):
        return None
    scale = region.pixel_px**2
    return Estimate(hull * scale, EDGE_SD * cv2.arcLength(region.hull, closed=True) * scale)


def solidity(region: Region) -> Estimate | None:
    """Area by that of its hull."""
    hull = _hull_area(region)
    return Estimate(region.area / hull, EDGE_SD * region.edge_pixels / hull) if hull else None


def perimeter(region: Region) -> Estimate | None:
    """Length of the outline, px."""
    length = _perimeter(region)
    return Estimate(length * region.pixel_px) if length else None


def compactness(region: Region) -> Estimate | None:
    """4 pi area / perimeter²: the isoperimetric quotient."""
    length = _perimeter(region)
    return Estimate(4 * math.pi * region.area / length**2) if length else None


def extent_x(region: Region) -> Estimate:
    """Width of the upright box, px."""
    return _span(region, region.box[2], region.picture_px[1])


def extent_y(region: Region) -> Estimate:
    """Height of the upright box, px."""
    return _span(region, region.box[3], region.picture_px[0])


def extent(region: Region) -> Estimate:
    """Area by that of the upright box."""
    _, _, width, height = region.box
    return Estimate(region.area / (width * height))


def centroid_x(region: Region) -> Estimate:
    """Centre of mass from the picture's left edge, px; a pixel's middle lies half a pixel from its edge."""
    return Estimate(region.left_px + (region.centre[1] + 0.5) * region.pixel_px)


def centroid_y(region: Region) -> Estimate:
    """Centre of mass from the picture's top edge, px."""
    return Estimate(region.top_px + (region.centre[0] + 0.5) * region.pixel_px)


def _hull_area(region: Region) -> float:
    """In pixels, 0 where there is no shape."""
    return float(cv2.contourArea(region.hull)) if len(region.outline) >= OUTLINE_LEAST else 0.0


def _perimeter(region: Region) -> float:
    """In pixels, 0 where there is no shape."""
    return float(cv2.arcLength(region.outline, closed=True)) if len(region.outline) >= OUTLINE_LEAST else 0.0


def _span(region: Region, pixels: int, most_px: float) -> Estimate:
    return Estimate(min(pixels * region.pixel_px, most_px), math.sqrt(2) * END_SD * region.pixel_px)


SHAPE: dict[str, Callable[[Region], Estimate | None]] = {
    vocabulary.PROJECTED_LEAF_AREA.name: projected_leaf_area,
    vocabulary.CONVEX_HULL_AREA.name: convex_hull_area,
    vocabulary.SOLIDITY.name: solidity,
    vocabulary.PERIMETER.name: perimeter,
    vocabulary.COMPACTNESS.name: compactness,
    vocabulary.EXTENT_X.name: extent_x,
    vocabulary.EXTENT_Y.name: extent_y,
    vocabulary.EXTENT.name: extent,
    vocabulary.WIDTH.name: extent_x,
    vocabulary.HEIGHT.name: extent_y,
    vocabulary.CENTROID_X.name: centroid_x,
    vocabulary.CENTROID_Y.name: centroid_y,
}
"""Trait → how it is measured; ``None`` where the region does not define it."""
