"""Finds a card of 24 patches in a picture: squares of one size in rows and columns, whose colours are the card's.

OpenCV has a finder of its own only in version 5; ours needs no contributed module. Squares alone are no proof (keys, a
QR code, a tray of pots are squares too), so what is found must also have the card's colours, up to a linear change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.chart import COLUMNS, GREYS, PATCHES_LAB, ROWS
from edge.calibration.colourspace import Colours, ciede2000, from_lab, linear, to_lab
from edge.errors import CalibrationFailed

SIDES_PX = (1200, 2400)
"""The picture is looked at with its longer side so long; a small card shows only in the finer ones."""

LEAST_SQUARES = 9
"""So many of the 24 must be seen as squares; dark ones often melt into the frame."""

MOST_SQUARES = 400
MOST_DIFFERENCE = 9.0
"""A card's patches lie nearer to their colours, in the mean of CIEDE2000, once a linear correction is made."""

INNER = 0.25
"""Half of the side of the middle of a patch, by the distance between patches: edges and shadows stay outside."""

Points = NDArray[np.float64]


class Square(NamedTuple):
    """A square: its middle, its side, and its direction in 0…90 degrees."""

    x: float
    y: float
    side: float
    angle: float


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """A card in a picture.

    Attributes:
        patches: mean sRGB values red, green, blue of each patch, in the chart's order, float64 [24, 3].
        places: their middles in px of the picture, float64 [24, 2].
        outline: corners of the patches' field in px, float64 [4, 2].
        difference: mean CIEDE2000 to the known colours after a linear correction.
    """

    patches: Colours
    places: Points
    outline: Points
    difference: float


def find_card(picture: NDArray[np.uint8]) -> Card:
    """The card in a picture, uint8 [h, w, 3] BGR.

    Raises:
        CalibrationFailed: there is none.
    """
    best: Card | None = None
    for side_px in SIDES_PX:
        scale = min(1.0, side_px / max(picture.shape[:2]))
        size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        seen = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        for card in _cards(seen, 1 / scale):
            if best is None or card.difference < best.difference:
                best = card
        if (best is not None and best.difference <= MOST_DIFFERENCE) or scale == 1:
            break
    if best is None or best.difference > MOST_DIFFERENCE:
        nearest = "" if best is None else f" (what comes nearest differs by {best.difference:.0f} in CIEDE2000)"
        raise CalibrationFailed(
            f"no card of 24 patches is seen{nearest}; lay it flat and whole into the picture, at least 100 px wide, "
            "without glare and without shadow on a part of it"
        )
    return best


def _cards(seen: NDArray[np.uint8], back: float) -> Iterator[Card]:
    grey = np.asarray(seen.max(axis=2))
    for squares in _squares(grey):
        for lattice, span in _lattices(squares):
            yield from _read(seen, lattice, span, back)


def _squares(grey: NDArray[np.uint8]) -> Iterator[list[Square]]:
    """Squares brighter than what is around them, by windows of several sizes."""
    for window in (31, 71, 151):
        bright = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, window, -6)
        bright = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        contours, _ = cv2.findContours(bright, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        found = [square for contour in contours if (square := _square(np.asarray(contour)))]
        yield sorted(found, key=lambda square: -square.side)[:MOST_SQUARES]


def _square(contour: NDArray[np.int32]) -> Square | None:
    area = cv2.contourArea(contour)
    if area < 40:
        return None
    (x, y), (width, height), angle = cv2.minAreaRect(contour)
    if min(width, height) < 6 or max(width, height) > 1.35 * min(width, height) or area < 0.75 * width * height:
        return None
    return Square(x, y, float(np.sqrt(area)), angle % 90)


def _lattices(squares: list[Square]) -> Iterator[tuple[NDArray[np.float64], tuple[int, int]]]:
    """Homographies from (column, row) to px that many squares agree on, and how many columns and rows those fill."""
    table = np.array(squares, np.float64).reshape(-1, 4)
    used = np.zeros(len(table), np.bool_)
    for seed in range(len(table)):
        if used[seed]:
            continue
        alike = np.abs(np.log(table[:, 2] / table[seed, 2])) < 0.3
        turned = np.abs((table[:, 3] - table[seed, 3] + 45) % 90 - 45) < 12
        own = np.flatnonzero(alike & turned)
        if len(own) < LEAST_SQUARES:
            continue
        indices, places = _indexed(table[own], int(np.flatnonzero(own == seed)[0]))
        used[own[places]] = True
        if len(places) >= LEAST_SQUARES:
            span = np.ptp(indices, axis=0)
            if 1 <= span.min() < ROWS and span.max() < COLUMNS:
                lattice, inside = cv2.findHomography(
                    indices.astype(np.float64), table[own[places], :2], cv2.RANSAC, 0.12 * table[seed, 2]
                )
                if lattice is not None and inside.sum() >= LEAST_SQUARES:
                    on = indices[inside.ravel() > 0]
                    (left, top), (right, bottom) = on.min(axis=0).tolist(), on.max(axis=0).tolist()
                    yield (
                        lattice @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1]]),
                        (right - left + 1, bottom - top + 1),
                    )


def _indexed(squares: Points, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of each square that is reached from the seed from neighbour to neighbour, and which those are."""
    angle = np.radians(squares[seed, 3])
    along = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    place = squares[:, :2] @ along.T
    apart = np.abs(place[:, None] - place)
    side = squares[seed, 2]
    straight = (apart.min(axis=2) < 0.3 * side) & (apart.max(axis=2) > 0.9 * side) & (apart.max(axis=2) < 2.2 * side)
    near = straight & (apart.max(axis=2) < 1.7 * side)
    if not near.any():
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    pitch = float(np.median(apart.max(axis=2)[near]))
    index = {seed: np.zeros(2, np.int64)}
    waiting = [seed]
    while waiting:
        at = waiting.pop()
        for other in np.flatnonzero(straight[at]):
            step = np.rint((place[other] - place[at]) / pitch).astype(np.int64)
            if int(other) not in index and np.abs(step).sum() == 1:
                index[int(other)] = index[at] + step
                waiting.append(int(other))
    return np.array(list(index.values())), np.array(list(index))


def _read(seen: NDArray[np.uint8], lattice: NDArray[np.float64], span: tuple[int, int], back: float) -> Iterator[Card]:
    """The 24 patches under every way the card may lie on the lattice, whose least column and row are 0."""
    for columns, rows in ((COLUMNS, ROWS), (ROWS, COLUMNS)):
        wide = columns > rows
        for shift in np.ndindex(max(0, columns - span[0] + 1), max(0, rows - span[1] + 1)):
            places = _grid(columns, rows) - np.array(shift)
            middles = cv2.perspectiveTransform(places.reshape(-1, 1, 2), lattice).reshape(-1, 2)
            corners = cv2.perspectiveTransform(_field(places).reshape(-1, 1, 2), lattice).reshape(-1, 2)
            if not _inside(corners, seen.shape):
                continue
            colours = _means(seen, middles, lattice, places)
            for order in _orders(wide):
                difference = _difference(colours[order])
                if difference < 2 * MOST_DIFFERENCE:
                    yield Card(colours[order], middles[order] * back, corners * back, difference)


def _grid(columns: int, rows: int) -> Points:
    column, row = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.stack([column.ravel(), row.ravel()], axis=1).astype(np.float64)


def _field(places: Points) -> Points:
    (left, top), (right, bottom) = places.min(axis=0) - 0.5, places.max(axis=0) + 0.5
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _inside(points: Points, shape: tuple[int, ...]) -> bool:
    return bool((points >= 0).all() and (points[:, 0] < shape[1]).all() and (points[:, 1] < shape[0]).all())


def _means(seen: NDArray[np.uint8], middles: Points, lattice: NDArray[np.float64], places: Points) -> Colours:
    """Mean colour of the middle of each place, red, green, blue; sampled at 7x7 points."""
    steps = np.linspace(-INNER, INNER, 7)
    offsets = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    points = (places[:, None] + offsets).reshape(-1, 1, 2)
    x, y = np.rint(cv2.perspectiveTransform(points, lattice).reshape(-1, 2).T).astype(np.int64)
    x, y = x.clip(0, seen.shape[1] - 1), y.clip(0, seen.shape[0] - 1)
    return np.asarray(seen[y, x].reshape(len(middles), -1, 3).mean(axis=1)[:, ::-1], np.float64)


def _orders(wide: bool) -> list[NDArray[np.int64]]:
    """In which order the places of a grid are the chart's patches: two ways for each of wide and tall."""
    numbers = np.arange(ROWS * COLUMNS)
    table = numbers.reshape(ROWS, COLUMNS) if wide else np.rot90(numbers.reshape(COLUMNS, ROWS))
    return [table.ravel().copy(), table.ravel()[::-1].copy()]


def _difference(colours: Colours) -> float:
    """Mean CIEDE2000 after a linear correction; infinite where the greys do not fall from white to black."""
    if (np.diff(colours[GREYS].sum(axis=1)) > 0).any():
        return float("inf")
    light, wanted = linear(colours), from_lab(PATCHES_LAB)
    weight = 1 / (np.maximum(wanted.mean(axis=1, keepdims=True), 0) ** (2 / 3) + 0.02)
    matrix = np.linalg.lstsq(light * weight, wanted * weight, rcond=None)[0]
    return float(ciede2000(to_lab(light @ matrix), PATCHES_LAB).mean())
