"""A region of a picture whose shape and colour are measured: the plants of one plot, or any other object."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

HUE_BINS = 180
"""OpenCV gives hue in steps of 2 degrees."""

SATURATION_BINS = 5
"""Of one fifth each."""

OUTLINE_LEAST = 6
"""An outline of fewer pixels has no shape; PlantCV draws the line there too."""

LONG_OUTLINE = 1500
"""From so many pixels sorting them all takes longer than picking each row's ends."""

Contour = NDArray[np.int32]


class Estimate(NamedTuple):
    """A measured value; where they exist one standard deviation, and the shares of a histogram's bins."""

    value: float
    sd: float | None = None
    histogram: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of a picture that belong together. What several traits need is computed once, when first asked for.

    Attributes:
        mask: which pixels, uint8 [h, w], 255 or 0; at least one.
        pixels: their colours, uint8 [h, w, 3], BGR.
        pixel_px: side of a pixel in px of the camera's picture.
        top_px, left_px: where the top left corner lies in the camera's picture, in its px.
        picture_px: height and width of the camera's picture: no region is larger.
        colour_table: corrected colour of each colour of 7 bits a channel, uint8 [128 * 128 * 128, 4], BGR and 255, in
            the order of blue, green, red; ``None`` leaves them as the camera gives them.
    """

    mask: NDArray[np.uint8]
    pixels: NDArray[np.uint8]
    pixel_px: float = 1.0
    top_px: float = 0.0
    left_px: float = 0.0
    picture_px: tuple[float, float] = (np.inf, np.inf)
    colour_table: NDArray[np.uint8] | None = None

    @cached_property
    def area(self) -> int:
        """How many pixels."""
        return cv2.countNonZero(self.mask)

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Mean row and column of the pixels."""
        rows, columns = (cv2.reduce(self.mask, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel() for axis in (1, 0))
        weight = rows.sum(dtype=np.float64)
        return float(rows @ np.arange(len(rows)) / weight), float(columns @ np.arange(len(columns)) / weight)

    @cached_property
    def contours(self) -> tuple[tuple[Contour, ...], NDArray[np.int32]]:
        """Every border, of holes too, and OpenCV's hierarchy of them, int32 [n, 4]."""
        found, hierarchy = cv2.findContours(self.mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
        return cast("tuple[Contour, ...]", found), np.asarray(hierarchy[0], np.int32)

    @cached_property
    def outline(self) -> Contour:
        """Borders one after the other, int32 [n, 1, 2]; holes that hold nothing are left out, as in PlantCV."""
        found, hierarchy = self.contours
        _, _, child, parent = hierarchy.T
        return np.concatenate([found[index] for index in np.flatnonzero((child >= 0) | (parent < 0))])

    @cached_property
    def edge_pixels(self) -> int:
        """How many pixels lie on a border."""
        return sum(map(len, self.contours[0]))

    @cached_property
    def hull(self) -> Contour:
        """Convex hull of the outline, int32 [n, 1, 2]; of a long one the first and last pixel in each row suffice."""
        if len(self.outline) < LONG_OUTLINE:
            return np.asarray(cv2.convexHull(self.outline), np.int32)
        x, y = self.outline[:, 0].T
        height, width = self.mask.shape
        first, last = np.full(height, width, np.int32), np.full(height, -1, np.int32)
        np.minimum.at(first, y, x)
        np.maximum.at(last, y, x)
        rows = np.flatnonzero(last >= 0).astype(np.int32)
        ends = np.stack([np.concatenate([first[rows], last[rows]]), np.concatenate([rows, rows])], axis=1)
        return np.asarray(cv2.convexHull(ends), np.int32)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the upright box around it, in pixels."""
        left, top, width, height = cv2.boundingRect(self.mask)
        return left, top, width, height

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """Colours of the pixels, uint8 [1, n, 4], BGR and 255: four bytes are one word, which is quick to pick."""
        return colours_of(self.pixels, np.flatnonzero(self.mask > 0), self.colour_table)

    @cached_property
    def mean_bgr(self) -> tuple[float, float, float]:
        """Mean colour."""
        blue, green, red, _ = cv2.mean(self.colours)
        return blue, green, red

    @cached_property
    def hues(self) -> NDArray[np.float64]:
        """How many pixels have each hue at each saturation, float64 [180, 5]; grey has hue 0."""
        hsv, bins = cv2.cvtColor(self.colours, cv2.COLOR_BGR2HSV), [HUE_BINS, SATURATION_BINS]
        return np.asarray(cv2.calcHist([hsv], [0, 1], None, bins, [0, HUE_BINS, 0, 256]), np.float64)

    @cached_property
    def hue(self) -> NDArray[np.float64]:
        """How many pixels have each hue, float64 [180]; grey has hue 0."""
        return np.asarray(self.hues.sum(axis=1))


def colours_of(
    pixels: NDArray[np.uint8], places: NDArray[np.int64], colour_table: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Colours of the pixels at these places in reading order, as of ``Region.colours``."""
    words = cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA).view(np.uint32).ravel()
    own = np.take(words, places)
    if colour_table is not None:
        own = np.take(colour_table.view(np.uint32).ravel(), table_rows(own))
    return own.view(np.uint8).reshape(1, -1, 4)


def table_rows(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Row of a colour table for each colour, given as a little-endian word of blue, green, red and anything."""
    blue, green, red = (words & np.uint32(mask) for mask in (0xFE, 0xFE00, 0xFE0000))
    return np.asarray((blue << np.uint32(13)) | (green >> np.uint32(2)) | (red >> np.uint32(17)), np.uint32)
