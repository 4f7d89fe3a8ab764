"""Labels on a grid as COCO has them: polygons along the cells' edges for single things, run lengths for crowds. Pure.

A polygon cannot have a hole, so a mask with one is cut through it: what the polygons cover together is the mask.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

Cell = tuple[int, int]
"""Row and column; of a corner, those of the cell below and right of it."""
Ring = list[Cell]

_TURNS = {(0, 1): ((1, 0), (0, 1), (-1, 0)), (1, 0): ((0, -1), (1, 0), (0, 1)),
          (0, -1): ((-1, 0), (0, -1), (1, 0)), (-1, 0): ((0, 1), (-1, 0), (0, -1))}  # fmt: skip
"""From a direction those that may follow, the turn to the right first: cells that touch at a corner stay apart."""


def cells_of(counts: Sequence[int], rows: int) -> set[Cell]:
    """The cells of a mask from its run lengths, column by column."""
    found, place = set(), 0
    for index, count in enumerate(counts):
        if index % 2:
            found |= {(number % rows, number // rows) for number in range(place, place + count)}
        place += count
    return found


def polygons(cells: set[Cell], cell_px: float, height: int, width: int) -> list[list[float]]:
    """Outlines in px, each x, y, x, y, …, within the picture."""
    return [
        [round(float(side), 2) for y, x in ring for side in (min(width, x * cell_px), min(height, y * cell_px))]
        for ring in rings(cells)
    ]


def box(cells: set[Cell], cell_px: float, height: int, width: int) -> list[float]:
    """Left, top, width and height in px."""
    top, left = min(row for row, _ in cells), min(column for _, column in cells)
    bottom, right = max(row for row, _ in cells) + 1, max(column for _, column in cells) + 1
    x, y = left * cell_px, top * cell_px
    return [round(side, 2) for side in (x, y, min(width, right * cell_px) - x, min(height, bottom * cell_px) - y)]


def area_px(cells: set[Cell], grid: tuple[int, int], cell_px: float, height: int, width: int) -> int:
    """How many pixels of a picture they cover; pixels past the last cell are of the last cell."""
    heights, widths = _sides(grid[0], cell_px, height), _sides(grid[1], cell_px, width)
    return sum(heights[row] * widths[column] for row, column in cells)


@lru_cache(maxsize=64)
def _sides(cells: int, cell_px: float, side_px: int) -> tuple[int, ...]:
    """How many pixels lie in each row or column of cells."""
    held = Counter(min(cells - 1, int((pixel + 0.5) / cell_px)) for pixel in range(side_px))
    return tuple(held[cell] for cell in range(cells))


def rings(cells: set[Cell]) -> Iterator[Ring]:
    """Outlines without holes that cover exactly these cells; corners only."""
    traced = list(_loops(cells))
    hole = next((ring for ring in traced if _area(ring) < 0), None)
    if hole is None:
        yield from traced
        return
    column = min(x for _, x in hole) + 1  # through the hole's first column: what is left of it has a hole less
    yield from rings({cell for cell in cells if cell[1] < column})
    yield from rings({cell for cell in cells if cell[1] >= column})


def _loops(cells: set[Cell]) -> Iterator[Ring]:
    """The borders, clockwise around cells (y grows downwards) and the other way around holes."""
    edges: dict[Cell, set[Cell]] = {}
    for row, column in cells:
        for beside, start, way in (
            ((row - 1, column), (row, column), (0, 1)), ((row, column + 1), (row, column + 1), (1, 0)),
            ((row + 1, column), (row + 1, column + 1), (0, -1)), ((row, column - 1), (row + 1, column), (-1, 0)),
        ):  # fmt: skip
            if beside not in cells:
                edges.setdefault(start, set()).add(way)
    while edges:
        start = min(edges)
        yield _loop(edges, start, min(edges[start]))


def _loop(edges: dict[Cell, set[Cell]], start: Cell, way: Cell) -> Ring:
    """Follow one border and take its edges away; the corners where it turns."""
    ring, place, first = [], start, way
    while True:
        edges[place].remove(way)
        if not edges[place]:
            del edges[place]
        place = (place[0] + way[0], place[1] + way[1])
        if place == start and way_after(edges.get(place, set()), way) is None:
            if first != way:
                ring.append(place)
            return ring
        after = way_after(edges.get(place, set()), way)
        assert after is not None  # noqa: S101 - a border has no end
        if after != way:
            ring.append(place)
        way = after


def way_after(open_ways: set[Cell], way: Cell) -> Cell | None:
    """How a border goes on."""
    return next((turn for turn in _TURNS[way] if turn in open_ways), None)


def _area(ring: Ring) -> float:
    following = [*ring[1:], ring[0]]
    return sum(x1 * y2 - x2 * y1 for (y1, x1), (y2, x2) in zip(ring, following, strict=True)) / 2
