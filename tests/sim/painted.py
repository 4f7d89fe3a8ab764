"""Painted scenes: round leaves on brown ground, with exact labels. What a small network learns in seconds."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from training.args import AugmentationSettings, FitSettings, load_settings
from training.data import Source
from training.network import NetworkSettings
from training.pool import Pool

LEAVES_PER_PLANT = 3

ROSETTE = load_settings(Path(__file__).parents[2] / "configs/training/rosette.yaml")
"""The run that ships; its model says what the numbers of painted scenes mean."""

TINY = NetworkSettings(widths=(16, 16, 32, 32), depths=(1, 1, 1, 1), pyramid_width=16, fine_width=16, head_width=16)
"""A network that learns them in seconds."""


def tiny_run(size_px: int, steps: int, check_every: int) -> FitSettings:
    """Settings with which it does."""
    return ROSETTE.model_copy(
        update={
            "network": TINY,
            "augmentation": AugmentationSettings(
                crop_px=size_px, least_zoom=1.0, most_zoom=1.2, white_balance=0.05, gain=0.1
            ),
            "size_px": size_px,
            "steps": steps,
            "batch": 8,
            "workers": 0,
            "learning_rate": 5e-3,
            "average": 0.9,
            "check_every": check_every,
            "top_k": 32,
        }
    )


def painted_source(count: int, size_px: int, seed: int = 0) -> list[Source]:
    """Painted scenes as all that training sees."""
    return [Source("scenes", painted_pool(count, size_px, seed), 1.0)]


def painted_pool(count: int, size_px: int, seed: int = 0) -> Pool:
    """Scenes with one plant of three leaves each."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(20, 70, (count, size_px, size_px, 3), np.uint8)
    leaves = np.zeros((count, size_px, size_px), np.uint16)
    centres = []
    for scene in range(count):
        middle = rng.uniform(0.4 * size_px, 0.6 * size_px, 2)
        places = []
        for number in range(1, LEAVES_PER_PLANT + 1):
            angle = 2 * np.pi * number / LEAVES_PER_PLANT + rng.uniform(0, 1)
            y, x = (middle + 0.22 * size_px * np.array([np.sin(angle), np.cos(angle)])).round()
            mask = cv2.circle(np.zeros((size_px, size_px), np.uint8), (int(x), int(y)), size_px // 9, 1, -1) > 0
            leaves[scene][mask] = number
            pixels[scene][mask] = (40, rng.integers(140, 220), 70)
            places.append((y, x))
        centres.append((scene, 0, 1, *np.mean(places, axis=0)))
        centres.extend((scene, 1, number, *place) for number, place in enumerate(places, start=1))
    instances = np.stack([np.minimum(leaves, 1), leaves], axis=1)
    digest = f"sha256:{hashlib.sha256(pixels.tobytes()).hexdigest()}"
    return Pool(pixels, (leaves > 0).astype(np.uint8), instances, np.array(centres, np.float32), ROSETTE.model, digest)
