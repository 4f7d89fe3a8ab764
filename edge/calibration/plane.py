"""The calibrated plane under one placement of the picture: sizes in mm, place by place.

Under a tilted camera a pixel's size depends on where it lies. Areas are summed with each cell's own size, lengths and
hulls are measured between points carried to the plane; the picture itself is not rectified, which would cost a
resampling of each frame and soften the edges that areas hang on.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.record import Lens, Matrix, Scale
from edge.preprocess import GRID_STRIDE_PX, Placement

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """What a scale says on the graph's grid.

    Attributes:
        scale: where the pixels' rays meet the plane.
        placement: where the picture lies in the network's input.
        pixel_mm2: area of a pixel of the network's input in each cell, float64 [h, w].
        jacobian: mm along x and y of the plane for one cell along x and one along y of the grid, float64 [h, w, 2, 2].
        relative_sd: how wrong lengths may be by the calibration, as a share, float64 [h, w].
    """

    scale: Scale
    placement: Placement
    pixel_mm2: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    relative_sd: NDArray[np.float64]

    @classmethod
    def of(cls, scale: Scale, placement: Placement) -> "Plane":
        """Draw ``scale`` on the grid of ``placement``."""
        rows, columns = placement.grid_shape
        y, x = placement.to_picture(np.arange(rows + 1) - 0.5, np.arange(columns + 1) - 0.5)
        corners = undistorted(np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(-1, 2), scale.lens)
        jacobian = _jacobian(corners, scale.plane, (rows, columns)) * scale.nearer
        found = np.abs(np.linalg.det(jacobian))
        others = [np.abs(np.linalg.det(_jacobian(corners, each, (rows, columns)))) for each in scale.spread]
        noise = np.std(np.log(np.maximum(others, 1e-12)), axis=0) / 2 if others else np.zeros_like(found)
        sd = np.sqrt(noise**2 + scale.board_sd**2 + scale.height_sd**2)
        return cls(scale, placement, found / GRID_STRIDE_PX**2, jacobian, sd)

    def to_mm(self, points: Points) -> NDArray[np.float32]:
        """Points (x, y) in px of the picture → mm on the plane, at the canopy's height, float32 [n, 2].

        Around their own middle, so that float32, which OpenCV's geometry takes, is enough anywhere on a large bench.
        """
        on_plane = mapped(undistorted(points, self.scale.lens), self.scale.plane)
        return np.asarray((on_plane - on_plane.mean(axis=0)) * self.scale.nearer, np.float32)


def undistorted(points: Points, lens: Lens | None) -> Points:
    """Where points (x, y) in px would lie without the lens's distortion, float64 [n, 2]."""
    if lens is None:
        return points
    matrix = np.array([[lens.focal_px[0], 0, lens.centre_px[0]], [0, lens.focal_px[1], lens.centre_px[1]], [0, 0, 1]])
    ideal = cv2.undistortPoints(points.reshape(-1, 1, 2), matrix, np.array(lens.distortion), P=matrix)
    return np.asarray(ideal, np.float64).reshape(-1, 2)


def mapped(points: Points, homography: Matrix | NDArray[np.float64]) -> Points:
    """Points (x, y) through a homography, float64 [n, 2]."""
    return np.asarray(cv2.perspectiveTransform(points.reshape(-1, 1, 2), np.array(homography)), np.float64).reshape(
        -1, 2
    )


def _jacobian(corners: Points, homography: Matrix, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Differences between the sides of each cell, averaged over both sides: its determinant is the cell's area."""
    grid = mapped(corners, homography).reshape(shape[0] + 1, shape[1] + 1, 2)
    along_x, along_y = np.diff(grid, axis=1), np.diff(grid, axis=0)
    return np.stack([(along_x[:-1] + along_x[1:]) / 2, (along_y[:, :-1] + along_y[:, 1:]) / 2], axis=-1)
