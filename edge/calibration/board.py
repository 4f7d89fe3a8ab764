"""The ChArUco board: a chessboard whose white squares carry markers, so that a part is enough (Garrido-Jurado 2014).

Printed on paper, its size is only what the printer made of it. A scale of 100 mm is drawn beneath to be held against a
ruler; what was measured goes to ``canopy calibrate scale --measured-mm``.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MARKER_SHARE = 0.75
DICTIONARY = cv2.aruco.DICT_5X5_100
RULER_MM = 100.0
PNG_DPI = 600

Box = tuple[float, float, float, float]
"""Left, top, width and height in mm."""


@dataclass(frozen=True, slots=True)
class Board:
    """A board of ``columns`` by ``rows`` squares for a sheet of paper; sizes in mm."""

    columns: int
    rows: int
    square_mm: float
    paper_mm: tuple[float, float]

    @property
    def width_mm(self) -> float:
        """Of all squares together: what is held against the ruler."""
        return self.columns * self.square_mm

    @property
    def height_mm(self) -> float:
        """Of all squares together."""
        return self.rows * self.square_mm

    def as_printed(self, measured_mm: float) -> "Board":
        """The same board, found to be ``measured_mm`` wide."""
        return Board(self.columns, self.rows, measured_mm / self.columns, self.paper_mm)

    def charuco(self) -> Any:
        """OpenCV's object; its corners are in mm from the top left."""
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
        size = self.columns, self.rows
        return cv2.aruco.CharucoBoard(size, self.square_mm, MARKER_SHARE * self.square_mm, dictionary)

    def picture(self, px_per_mm: float) -> NDArray[np.uint8]:
        """The squares alone, uint8 [h, w]."""
        size = round(self.width_mm * px_per_mm), round(self.height_mm * px_per_mm)
        return np.asarray(self.charuco().generateImage(size, marginSize=0), np.uint8)


BOARDS = {
    "a4": Board(columns=7, rows=5, square_mm=36.0, paper_mm=(297.0, 210.0)),
    "a3": Board(columns=10, rows=7, square_mm=37.0, paper_mm=(420.0, 297.0)),
}
"""Boards by the paper they are printed on."""


def black_boxes(board: Board) -> Iterator[Box]:
    """Everything black on the sheet: squares, the markers' cells, and the ruler."""
    left, top = (board.paper_mm[0] - board.width_mm) / 2, (board.paper_mm[1] - board.height_mm) / 2 - 4
    cells = board.picture(40 / board.square_mm) < 128  # 40 px a square: a marker's cell is 30 / 7 of them
    for row in range(board.rows):
        for column in range(board.columns):
            corner = left + column * board.square_mm, top + row * board.square_mm
            if cells[40 * row + 2, 40 * column + 2]:
                yield (*corner, board.square_mm, board.square_mm)
            else:
                yield from _marker(cells[40 * row : 40 * row + 40, 40 * column : 40 * column + 40], corner, board)
    yield from _ruler(left, top + board.height_mm + 6)


def _marker(square: NDArray[np.bool_], corner: tuple[float, float], board: Board) -> Iterator[Box]:
    side_mm = MARKER_SHARE * board.square_mm / 7
    margin_mm = (1 - MARKER_SHARE) / 2 * board.square_mm
    for row in range(7):
        for column in range(7):
            if square[int(5 + 30 / 7 * (row + 0.5)), int(5 + 30 / 7 * (column + 0.5))]:
                x_mm, y_mm = corner[0] + margin_mm + column * side_mm, corner[1] + margin_mm + row * side_mm
                yield x_mm, y_mm, side_mm, side_mm


def _ruler(left_mm: float, top_mm: float) -> Iterator[Box]:
    yield left_mm, top_mm, RULER_MM, 0.3
    for index in range(11):
        yield left_mm + 10 * index - 0.15, top_mm, 0.3, 4.0 if index % 5 == 0 else 2.5


def legend(board: Board) -> str:
    """What is printed beside the ruler."""
    return (
        f"Canopy board {board.columns} x {board.rows}, squares of {board.square_mm:g} mm, {board.width_mm:g} mm wide "
        "in all. The ruler is 100 mm. Print at 100 %."
    )


def as_svg(board: Board) -> bytes:
    """The sheet as SVG, in mm."""
    width, height = board.paper_mm
    boxes = "".join(
        f'<rect x="{x:.4f}" y="{y:.4f}" width="{w:.4f}" height="{h:.4f}"/>' for x, y, w, h in black_boxes(board)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" shape-rendering="crispEdges">'
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>{boxes}'
        f'<text x="{(width - board.width_mm) / 2 + 104:.1f}" y="{height - 6:.1f}" font-family="sans-serif" '
        f'font-size="3">{legend(board)}</text></svg>\n'
    ).encode()


def as_pdf(board: Board) -> bytes:
    """The sheet as PDF 1.4: lengths are exact, whatever the printer's dots."""
    point = 72 / 25.4
    width, height = (side * point for side in board.paper_mm)
    lines = [
        f"{x * point:.4f} {height - (y + h) * point:.4f} {w * point:.4f} {h * point:.4f} re"
        for x, y, w, h in black_boxes(board)
    ]
    text_x = ((board.paper_mm[0] - board.width_mm) / 2 + 104) * point
    words = f"BT /F 7 Tf {text_x:.2f} {6 * point:.2f} Td ({legend(board)}) Tj ET"
    drawing = ("\n".join([*lines, "f", words])).encode()
    return _pdf(width, height, drawing)


def _pdf(width: float, height: float, drawing: bytes) -> bytes:
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width:.3f} {height:.3f}]/Contents 4 0 R"
        "/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>".encode(),
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
    ]
    out, places = io.BytesIO(b""), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj%s endobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()


def as_png(board: Board) -> bytes:
    """The sheet as PNG with 600 dots an inch written in it; programs that print pictures often scale them."""
    from PIL import Image  # noqa: PLC0415 - the daemon draws no boards

    dots = PNG_DPI / 25.4
    sheet = np.full((round(board.paper_mm[1] * dots), round(board.paper_mm[0] * dots)), 255, np.uint8)
    for x, y, w, h in black_boxes(board):
        sheet[round(y * dots) : round((y + h) * dots), round(x * dots) : round((x + w) * dots)] = 0
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG", dpi=(PNG_DPI, PNG_DPI))
    return file.getvalue()
