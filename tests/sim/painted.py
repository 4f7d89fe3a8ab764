"""Painted scenes: round leaves on brown ground, with exact labels. What a small network learns in seconds."""

import cv2
import numpy as np

from training.pool import Pool

LEAVES_PER_PLANT = 3


def painted_pool(count: int, size_px: int, seed: int = 0) -> Pool:
    """Scenes with one plant of three leaves each."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(20, 70, (count, size_px, size_px, 3), np.uint8)
    leaves = np.zeros((count, size_px, size_px), np.uint16)
    centres = []
    for scene in range(count):
        middle = rng.uniform(0.4 * size_px, 0.6 * size_px, 2)
        for number in range(1, LEAVES_PER_PLANT + 1):
            angle = 2 * np.pi * number / LEAVES_PER_PLANT + rng.uniform(0, 1)
            y, x = (middle + 0.22 * size_px * np.array([np.sin(angle), np.cos(angle)])).round()
            mask = cv2.circle(np.zeros((size_px, size_px), np.uint8), (int(x), int(y)), size_px // 9, 1, -1) > 0
            leaves[scene][mask] = number
            pixels[scene][mask] = (40, rng.integers(140, 220), 70)
            centres.append([scene, number, y, x])
    plants = np.minimum(leaves, 1)
    leaf_centres = np.array(centres, np.float32)
    by_scene = leaf_centres.reshape(count, LEAVES_PER_PLANT, 4)
    plant_centres = by_scene.mean(1)
    plant_centres[:, 1] = 1
    return Pool(pixels, (leaves > 0).astype(np.uint8), leaves, plants, leaf_centres, plant_centres)
