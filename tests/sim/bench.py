"""A flat bench under a pinhole camera with a distorting lens: pictures of which every mm is known."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SUPERSAMPLE = 2
STEP_PX = 4


@dataclass(frozen=True)
class BenchCamera:
    """A camera ``height_mm`` over the bench, looking down at (x, y) mm, tilted and turned by degrees.

    Points are in px from the picture's top left edge, and in mm on the bench.
    """

    width_px: int = 1280
    height_px: int = 720
    focal_px: float = 1100.0
    height_mm: float = 1000.0
    at_mm: tuple[float, float] = (0.0, 0.0)
    tilt_degree: tuple[float, float] = (0.0, 0.0)
    turn_degree: float = 0.0
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)

    @property
    def matrix(self) -> NDArray[np.float64]:
        return np.array([[self.focal_px, 0, self.width_px / 2], [0, self.focal_px, self.height_px / 2], [0, 0, 1.0]])

    @property
    def pose(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rotation and shift from bench to camera; the bench's z points away from the camera."""
        angles = np.radians([*self.tilt_degree, self.turn_degree])
        turns = [cv2.Rodrigues(angle * axis)[0] for angle, axis in zip(angles, np.eye(3), strict=True)]
        rotation = turns[0] @ turns[1] @ turns[2]
        centre = rotation.T @ np.array([0, 0, -self.height_mm / rotation[2, 2]]) + (*self.at_mm, 0)
        return rotation, -rotation @ centre

    @property
    def centre_height_mm(self) -> float:
        rotation, shift = self.pose
        return float(abs((rotation.T @ shift)[2]))

    def to_px(self, mm: NDArray[np.float64], height_mm: float = 0.0) -> NDArray[np.float64]:
        """Where points on the bench, or ``height_mm`` over it, are seen."""
        rotation, shift = self.pose
        points = np.column_stack([mm, np.full(len(mm), -height_mm)])
        seen, _ = cv2.projectPoints(points, cv2.Rodrigues(rotation)[0], shift, self.matrix, np.array(self.distortion))
        return seen.reshape(-1, 2)

    def to_mm(self, px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which points on the bench are seen there."""
        ideal = cv2.undistortPoints(px.reshape(-1, 1, 2), self.matrix, np.array(self.distortion)).reshape(-1, 2)
        rotation, shift = self.pose
        rays = np.column_stack([ideal, np.ones(len(ideal))]) @ rotation
        centre = -rotation.T @ shift
        return (centre + rays * (-centre[2] / rays[:, 2])[:, None])[:, :2]

    def look(self, sheet: NDArray[np.uint8], px_per_mm: float, ground: float = 150.0) -> NDArray[np.float32]:
        """A picture of ``sheet``, uint8 [h, w] or [h, w, 3], lying with its middle at (0, 0), float32 [H, W, 3]."""
        maps = (self._rays() * px_per_mm + np.array(sheet.shape[1::-1]) / 2 - 0.5).astype(np.float32)
        colour = sheet if sheet.ndim == 3 else cv2.cvtColor(sheet, cv2.COLOR_GRAY2BGR)
        border = (ground, ground, ground)
        fine = cv2.remap(colour, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border)
        return cv2.resize(fine, (self.width_px, self.height_px), interpolation=cv2.INTER_AREA).astype(np.float32)

    def _rays(self) -> NDArray[np.float64]:
        """Which mm each px of the fine picture sees, float64 [h, w, 2]: exact every 4 px, linear between."""
        coarse_y, coarse_x = (
            np.arange(0, self.height_px + STEP_PX, STEP_PX),
            np.arange(0, self.width_px + STEP_PX, STEP_PX),
        )
        x, y = np.meshgrid(coarse_x, coarse_y)
        mm = self.to_mm(np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)).reshape(*x.shape, 2)
        down, along = (
            _between(side, len(coarse)) for side, coarse in ((self.height_px, coarse_y), (self.width_px, coarse_x))
        )
        return np.stack([down @ mm[..., axis] @ along.T for axis in (0, 1)], axis=-1)


def _between(side_px: int, count: int) -> NDArray[np.float64]:
    """Weights of the coarse places for each fine one."""
    place = (np.arange(side_px * SUPERSAMPLE) + 0.5) / SUPERSAMPLE / STEP_PX
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(count)))


def developed(
    picture: NDArray[np.float32], rng: np.random.Generator, blur_px: float = 0.7, noise: float = 3.0, gain: float = 1.0
) -> NDArray[np.uint8]:
    """Blur, noise, less light."""
    soft = cv2.GaussianBlur(picture, (0, 0), blur_px) * gain
    return np.clip(soft + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)
