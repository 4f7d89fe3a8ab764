"""Renders a pool of scenes to the disk, on every core."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.rosette import LEAF
from training.synthetic import Scene, render_rosettes
from training.targets import Labels


def scene_labels(scene: Scene) -> Labels:
    """Ground truth of a scene fresh from the renderer."""
    instances = np.stack([scene.plants, scene.leaves]).astype(np.uint16)
    return Labels(scene.classes, instances, (scene.plant_centres, scene.leaf_centres), grouped=LEAF)


def render_pool(folder: Path, count: int, seed: int, size_px: int, workers: int) -> Iterator[int]:
    """Write ``count`` scenes of seeds from ``seed`` on into ``folder``; yields how many stand there so far."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {"pixels": (size_px, size_px, 3), **dict.fromkeys(("classes", "leaves", "plants"), (size_px, size_px))}
    maps = {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy",
            mode="w+",
            dtype=np.uint8 if name in {"pixels", "classes"} else np.uint16,
            shape=(count, *shape),
        )
        for name, shape in shapes.items()
    }
    centres: dict[str, list[NDArray[np.float32]]] = {"leaf_centres": [], "plant_centres": []}
    for index, scene in enumerate(_scenes(range(seed, seed + count), size_px, workers)):
        for name, target in maps.items():
            target[index] = getattr(scene, name)
        for name, rows in centres.items():
            found = getattr(scene, name)
            rows.append(np.column_stack([np.full(len(found), index), found]).astype(np.float32))
        yield index + 1
    for name, rows in centres.items():
        np.save(folder / f"{name}.npy", np.concatenate(rows), allow_pickle=False)


def _scenes(seeds: range, size_px: int, workers: int) -> Iterator[Scene]:
    if workers <= 1:
        yield from (_render(seed, size_px) for seed in seeds)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield from executor.map(_render, seeds, [size_px] * len(seeds), chunksize=8)


def _render(seed: int, size_px: int) -> Scene:
    cv2.setNumThreads(1)
    return render_rosettes(seed, size_px, size_px)
