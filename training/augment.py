"""Variations of a labelled picture: where it is cut, how it is turned, and how the light falls."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge.preprocess import PADDING, Placement, fit
from training.args import AugmentationSettings
from training.labels import Labels


@dataclass(frozen=True, slots=True)
class View:
    """A square window on a picture: scaled by ``zoom``, its corner at (top_px, left_px) of the scaled picture, turned.

    Where the window reaches beyond the picture it is padded, as a device pads what does not fill its input.
    """

    size_px: int
    zoom: float
    top_px: int
    left_px: int
    quarter_turns: int
    mirrored: bool


def random_view(rng: np.random.Generator, shape: tuple[int, int], full_px: int, settings: AugmentationSettings) -> View:
    """A window somewhere on a picture of ``shape``, whose longer side a device would make ``full_px``."""
    zoom = float(np.exp(rng.uniform(np.log(settings.least_zoom), np.log(settings.most_zoom)))) * full_px / max(shape)
    spare = [round(side * zoom) - settings.crop_px for side in shape]
    top, left = (int(rng.integers(min(0, room), max(0, room) + 1)) for room in spare)
    turns = int(rng.integers(4)) if settings.turned else 0
    return View(settings.crop_px, zoom, top, left, turns, bool(rng.integers(2)))


def see(pixels: NDArray[np.uint8], labels: Labels, view: View) -> tuple[NDArray[np.uint8], Labels]:
    """The picture and its ground truth through ``view``."""

    def turned(plane: NDArray[np.generic], padding: int, interpolation: int = cv2.INTER_NEAREST) -> NDArray[Any]:
        return np.ascontiguousarray(_turn(_cut(plane, view, padding, interpolation), view))

    crowd = None if labels.crowd is None else turned(labels.crowd.view(np.uint8), 0).view(np.bool_)
    return turned(pixels, PADDING, cv2.INTER_LINEAR if view.zoom > 1 else cv2.INTER_AREA), replace(
        labels,
        classes=turned(labels.classes, 0),
        instances=np.stack([turned(plane, 0) for plane in labels.instances]),
        centres=tuple(_move(centres, view) for centres in labels.centres),
        crowd=crowd,
    )


def fitted(pixels: NDArray[np.uint8], labels: Labels, size_px: int) -> tuple[NDArray[np.uint8], Labels, Placement]:
    """A labelled picture in the network's input, [1, size_px, size_px, 3], placed as a device places it."""
    image, placement = fit(pixels, size_px, size_px)
    view = View(size_px, placement.scale, -placement.top_px, -placement.left_px, quarter_turns=0, mirrored=False)
    return image, see(pixels, labels, view)[1], placement


def _cut(plane: NDArray[np.generic], view: View, padding: int, interpolation: int) -> NDArray[np.generic]:
    height, width = (round(side * view.zoom) for side in plane.shape[:2])
    scaled = cv2.resize(np.asarray(plane), (width, height), interpolation=interpolation)
    window = np.full((view.size_px, view.size_px, *plane.shape[2:]), padding, plane.dtype)
    top, left = max(0, -view.top_px), max(0, -view.left_px)
    part = scaled[max(0, view.top_px) : view.top_px + view.size_px, max(0, view.left_px) : view.left_px + view.size_px]
    window[top : top + part.shape[0], left : left + part.shape[1]] = part
    return window


def _turn(plane: NDArray[np.generic], view: View) -> NDArray[np.generic]:
    turned = np.rot90(plane, view.quarter_turns)
    return turned[:, ::-1] if view.mirrored else turned


def _move(centres: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """Centres through the view; coordinates are those of pixel centres."""
    y = (centres[:, 1] + 0.5) * view.zoom - 0.5 - view.top_px
    x = (centres[:, 2] + 0.5) * view.zoom - 0.5 - view.left_px
    for _ in range(view.quarter_turns):
        y, x = view.size_px - 1 - x, y
    if view.mirrored:
        x = view.size_px - 1 - x
    return np.column_stack([centres[:, 0], y, x]).astype(np.float32)


def relight(picture: Tensor, rng: np.random.Generator, settings: AugmentationSettings) -> Tensor:
    """A picture [3, H, W] in 0…1 under other light and through another camera."""
    balance = 1 + rng.uniform(-settings.white_balance, settings.white_balance, 3)
    gain = (1 + rng.uniform(-settings.gain, settings.gain)) * balance
    picture = picture * torch.as_tensor(gain, dtype=torch.float32)[:, None, None]
    grey = picture.mean(0, keepdim=True)
    picture = grey + (picture - grey) * float(1 + rng.uniform(-settings.saturation, settings.saturation))
    picture = picture.clamp(0, 1) ** float(np.exp(rng.uniform(-settings.gamma, settings.gamma)))
    if rng.random() < 0.5:
        picture = picture + torch.as_tensor(rng.standard_normal(picture.shape, np.float32)) * settings.noise
    return picture.clamp(0, 1)
