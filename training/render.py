"""Renders a pool of scenes to the disk, on every core."""

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.pool import DIGEST_FILE
from training.synthetic import RENDERERS, Scene


def render_pool(folder: Path, renderer: str, count: int, seed: int, size_px: int, workers: int) -> Iterator[int]:
    """Write ``count`` scenes of seeds from ``seed`` on into ``folder``; yields how many stand there so far."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DIGEST_FILE).unlink(missing_ok=True)  # it is written last: without it a pool is not whole
    things = len(RENDERERS[renderer].things)
    pixels = _map(folder, "pixels", np.uint8, (count, size_px, size_px, 3))
    classes = _map(folder, "classes", np.uint8, (count, size_px, size_px))
    instances = _map(folder, "instances", np.uint16, (count, things, size_px, size_px))
    centres: list[NDArray[np.float32]] = [np.zeros((0, 5), np.float32)]
    content = hashlib.sha256()
    for index, scene in enumerate(_scenes(RENDERERS[renderer].render, range(seed, seed + count), size_px, workers)):
        pixels[index], classes[index], instances[index] = scene.pixels, scene.labels.classes, scene.labels.instances
        for thing, found in enumerate(scene.labels.centres):
            centres.append(np.column_stack([np.full((len(found), 2), (index, thing)), found]).astype(np.float32))
        for part in (pixels, classes, instances):
            content.update(part[index].tobytes())
        yield index + 1
    np.save(folder / "centres.npy", np.concatenate(centres), allow_pickle=False)
    (folder / DIGEST_FILE).write_text(f"sha256:{content.hexdigest()}", encoding="ascii")


def _map(folder: Path, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)


def _scenes(render: Callable[[int, int, int], Scene], seeds: range, size_px: int, workers: int) -> Iterator[Scene]:
    if workers <= 1:
        yield from (_single(render, seed, size_px) for seed in seeds)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield from executor.map(
            _single,
            [render] * len(seeds),
            seeds,
            [size_px] * len(seeds),
            chunksize=max(1, min(8, len(seeds) // workers)),
        )


def _single(render: Callable[[int, int, int], Scene], seed: int, size_px: int) -> Scene:
    cv2.setNumThreads(1)
    return render(seed, size_px, size_px)
