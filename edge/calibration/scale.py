"""From pictures of a board, or a known distance, to the scale of a camera."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from edge.calibration.board import Board
from edge.calibration.plane import Points, mapped, undistorted
from edge.calibration.record import Lens, Matrix, Scale
from edge.errors import CalibrationFailed

LEAST_CORNERS = 8
"""Four define a homography, and then nothing tells how good it is."""

LENS_PICTURES = 4
"""Fewer pictures leave focal length and distortion at the mercy of noise."""

SPREAD = 16
LEAST_NOISE_PX = 0.03
"""Corners are never found better than this, however few of them agree."""

END_SD_PX = 1.0
"""How well a person names the end of a distance."""

WORST_LENS_PX = 1.5


class Corners(NamedTuple):
    """Corners of a board found in a picture: in px from the picture's top left edge, and in mm on the board."""

    px: Points
    mm: Points


@dataclass(frozen=True, slots=True)
class Heights:
    """Of the camera, where the lens does not tell it, and of the leaves, over the plane of the board."""

    camera_mm: float | None = None
    canopy_mm: float = 0.0
    canopy_sd_mm: float = 0.0


def find_corners(picture: NDArray[np.uint8], board: Board) -> Corners:
    """The board's corners in a picture, uint8 [h, w, 3] BGR.

    Raises:
        CalibrationFailed: too few are seen.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    charuco = board.charuco()
    places, numbers, _, marks = cv2.aruco.CharucoDetector(charuco).detectBoard(grey)
    count = 0 if numbers is None else len(numbers)
    if count < LEAST_CORNERS:
        raise CalibrationFailed(
            f"{count} of the board's {(board.columns - 1) * (board.rows - 1)} corners are seen, by "
            f"{0 if marks is None else len(marks)} of its markers; {LEAST_CORNERS} are needed: lay the board flat into "
            "the picture, without glare, and large enough that a square is 20 px wide; see that --board names its paper"
        )
    px = np.asarray(places, np.float64).reshape(-1, 2) + 0.5
    mm = np.asarray(charuco.getChessboardCorners(), np.float64)[np.ravel(numbers), :2]
    return Corners(px, mm)


def hull_of(corners: Corners, board: Board) -> Points:
    """The whole board in px, float64 [4, 2], as far as its found corners tell: what a reference picture hides."""
    plane = _homography(corners.mm, corners.px)
    margin = board.square_mm
    right, below = board.width_mm + margin, board.height_mm + margin
    return mapped(np.array([[-margin, -margin], [right, -margin], [right, below], [-margin, below]]), plane)


def scale_from_board(corners: Sequence[Corners], size_px: tuple[int, int], board_sd: float, heights: Heights) -> Scale:
    """The plane on which the board lies in the first picture; the lens, if there are enough pictures, from all.

    Args:
        corners: what was found in each picture.
        size_px: height and width of the pictures.
        board_sd: how wrong the board's size may be, as a share.
        heights: of camera and canopy.

    Raises:
        CalibrationFailed: the corners do not fit a plane, or the pictures no lens.
    """
    lens = find_lens(corners, size_px) if len(corners) >= LENS_PICTURES else None
    first = corners[0]
    ideal = undistorted(first.px, lens)
    plane = _along_picture(_homography(ideal, first.mm), size_px)
    residual = mapped(ideal, _homography(ideal, first.mm)) - first.mm
    noise_px = max(_noise_px(ideal, first.mm), LEAST_NOISE_PX)
    height_mm, tilt = _pose(first, lens) if lens else (None, None)
    height_mm = heights.camera_mm or height_mm
    return _scale(
        kind="board",
        width_px=size_px[1],
        height_px=size_px[0],
        plane=_rows(plane),
        spread=tuple(_spread(ideal, first.mm, noise_px, size_px)),
        board_sd=board_sd,
        residual_mm=float(np.sqrt((residual**2).sum(axis=1).mean())),
        corners=len(first.px),
        lens=lens,
        camera_height_mm=height_mm,
        canopy_height_mm=heights.canopy_mm,
        canopy_height_sd_mm=heights.canopy_sd_mm,
        tilt_degree=tilt,
    )


def scale_from_distance(
    ends_px: tuple[tuple[float, float], tuple[float, float]],
    length_mm: float,
    length_sd_mm: float,
    size_px: tuple[int, int],
    heights: Heights,
) -> Scale:
    """One scale for the whole picture, of a camera that looks straight down: nothing is known of its tilt.

    Raises:
        CalibrationFailed: the ends lie too near to each other.
    """
    length_px = math.dist(*ends_px)
    if length_px < 20:
        raise CalibrationFailed(f"{length_px:.1f} px between two points tell no scale; take ends at least 20 px apart")
    each = length_mm / length_px
    return _scale(
        kind="distance",
        width_px=size_px[1],
        height_px=size_px[0],
        plane=((each, 0, 0), (0, each, 0), (0, 0, 1)),
        board_sd=min(1.0, math.hypot(math.sqrt(2) * END_SD_PX / length_px, length_sd_mm / length_mm)),
        camera_height_mm=heights.camera_mm,
        canopy_height_mm=heights.canopy_mm,
        canopy_height_sd_mm=heights.canopy_sd_mm,
    )


def _scale(**values: Any) -> Scale:
    """A scale whose parts go together.

    Raises:
        CalibrationFailed: they do not, as a canopy that reaches the camera.
    """
    try:
        return Scale.model_validate(values)
    except ValidationError as error:
        why = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
        raise CalibrationFailed(f"these numbers make no scale: {why}; see the heights and lengths given") from error


def find_lens(corners: Sequence[Corners], size_px: tuple[int, int]) -> Lens:
    """Focal length and distortion from pictures of the board in several positions (Zhang 2000).

    Raises:
        CalibrationFailed: no lens explains the pictures.
    """
    on_board = [np.column_stack([each.mm, np.zeros(len(each.mm))]).astype(np.float32) for each in corners]
    in_picture = [each.px.astype(np.float32).reshape(-1, 1, 2) for each in corners]
    rms, matrix, distortion, *_ = cv2.calibrateCamera(
        on_board, in_picture, size_px[::-1], None, None, flags=cv2.CALIB_FIX_K3
    )
    if not rms < WORST_LENS_PX:
        raise CalibrationFailed(
            f"no lens explains the {len(corners)} pictures: corners lie {rms:.1f} px off; the board must be flat, and "
            "camera, zoom and focus the same in all of them"
        )
    return Lens(
        focal_px=(float(matrix[0, 0]), float(matrix[1, 1])),
        centre_px=(float(matrix[0, 2]), float(matrix[1, 2])),
        distortion=tuple(float(each) for each in np.ravel(distortion)[:5]),
        rms_px=float(rms),
        pictures=len(corners),
    )


def _homography(px: Points, mm: Points) -> NDArray[np.float64]:
    found, _ = cv2.findHomography(px, mm, 0)
    if found is None:
        raise CalibrationFailed("the corners lie on a line; show more of the board")
    return np.asarray(found, np.float64)


def _along_picture(plane: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.float64]:
    """Turn the plane so that in the picture's middle its x axis runs along the picture's."""
    middle = np.array([[size_px[1] / 2, size_px[0] / 2], [size_px[1] / 2 + 1, size_px[0] / 2]])
    (x, y), (next_x, next_y) = mapped(middle, plane)
    angle = math.atan2(next_y - y, next_x - x)
    turn = np.array([[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    turned = turn @ plane
    return np.asarray(turned / turned[2, 2], np.float64)


def _noise_px(px: Points, mm: Points) -> float:
    """Standard deviation of a corner's coordinate, from what eight parameters leave."""
    back = mapped(mm, np.asarray(np.linalg.inv(_homography(px, mm)), np.float64))
    return float(np.sqrt(((back - px) ** 2).sum() / max(2 * len(px) - 8, 1)))


def _spread(px: Points, mm: Points, noise_px: float, size_px: tuple[int, int]) -> list[Matrix]:
    """Planes found with the corners moved by their noise (parametric bootstrap, Efron 1979)."""
    rng = np.random.default_rng(7)
    return [
        _rows(_along_picture(_homography(px + rng.normal(0, noise_px, px.shape), mm), size_px)) for _ in range(SPREAD)
    ]


def _pose(corners: Corners, lens: Lens) -> tuple[float, float]:
    """Height of the camera over the board in mm, and the angle between its axis and the board's normal in degrees."""
    matrix = np.array([[lens.focal_px[0], 0, lens.centre_px[0]], [0, lens.focal_px[1], lens.centre_px[1]], [0, 0, 1]])
    on_board = np.column_stack([corners.mm, np.zeros(len(corners.mm))])
    _, turn, shift = cv2.solvePnP(on_board, corners.px.reshape(-1, 1, 2), matrix, np.array(lens.distortion))
    rotation = cv2.Rodrigues(turn)[0]
    height_mm = abs(float((rotation.T @ shift)[2, 0]))
    return height_mm, math.degrees(math.acos(min(1.0, abs(float(rotation[2, 2])))))


def _rows(matrix: NDArray[np.float64]) -> Matrix:
    first, second, third = matrix.tolist()
    return tuple(first), tuple(second), tuple(third)
