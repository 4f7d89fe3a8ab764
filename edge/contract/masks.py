"""Masks as run lengths, as COCO has them: column by column, background first, the lengths packed into ASCII.

A length from the fourth on is told as its difference from the one two before it; each number is cut into groups of five
bits, the lowest first, with a bit that says whether another follows. Source: the COCO API, ``rleToString``.
"""

from collections.abc import Sequence


def packed(counts: Sequence[int]) -> str:
    """Run lengths as text."""
    return "".join(_packed(count - (counts[index - 2] if index > 2 else 0)) for index, count in enumerate(counts))


def unpacked(text: str, cells: int) -> list[int]:
    """The run lengths of a mask of ``cells`` cells.

    Raises:
        ValueError: the text is none of such a mask.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for char in text:
        bits = ord(char) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"{char!r} is in no packed run length")
        number |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number, shift = 0, 0
    if shift or any(count < 0 for count in counts) or sum(counts) != cells:
        raise ValueError(f"these run lengths are not those of {cells} cells")
    return counts


def magnified(counts: Sequence[int], rows: int, columns: int, height: int, width: int, cell_px: float) -> list[int]:
    """Run lengths of the picture, ``height`` x ``width`` px, that a grid of square cells of ``cell_px`` lies on.

    Pixel and cell count from the same corner; pixels past the last cell are of the last cell.
    """
    row_of = [min(rows - 1, int((y + 0.5) / cell_px)) for y in range(height)]
    first_of = [next((y for y in range(height) if row_of[y] >= row), height) for row in range(rows + 1)]
    grid = [value for index, count in enumerate(counts) for value in [bool(index % 2)] * count]
    found, current = [0], False
    of_column: dict[int, list[tuple[bool, int]]] = {}
    for x in range(width):
        column = min(columns - 1, int((x + 0.5) / cell_px))
        if column not in of_column:
            cells = grid[column * rows : (column + 1) * rows]
            of_column[column] = [(cell, first_of[row + 1] - first_of[row]) for row, cell in enumerate(cells)]
        for cell, length in of_column[column]:
            if cell != current and length:
                found.append(0)
                current = cell
            found[-1] += length
    return found


def _packed(number: int) -> str:
    text, more = "", True
    while more:
        bits = number & 0x1F
        number >>= 5
        more = number != (-1 if bits & 0x10 else 0)
        text += chr(bits + 48 + (0x20 if more else 0))
    return text
