"""Pictures with what a network found drawn in: for people who want to see why a number is what it is."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.manifest import Lineage
from edge.errors import FrameUnreadable
from edge.preprocess import fit
from edge.segmentation import NONE, Segmentation, decode
from training.evaluate import count, torch_look
from training.network import STRIDE_PX, Network
from training.rosette import LEAF, PLANT, rosette_manifest

TOP_K = 512
RING_PX, DOT_PX = 7, 2


def predict_pictures(network: Network, pictures: Sequence[Path], folder: Path, size_px: int) -> Iterator[str]:
    """Write one PNG for each picture into ``folder``; yields a line on each.

    Raises:
        FrameUnreadable: a file is no picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lineage = Lineage(created_at=datetime.now(timezone.utc))
    manifest = rosette_manifest(network.settings, size_px=size_px, top_k=TOP_K, version="0.0.0", lineage=lineage)
    look = torch_look(network, TOP_K)
    for path in pictures:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise FrameUnreadable(f"{path} is no picture that can be read; give JPEG or PNG files")
        image, placement = fit(np.asarray(pixels, np.uint8), size_px, size_px)
        found = decode(look(image), manifest, placement)
        cv2.imwrite(str(folder / f"{path.stem}.png"), overlay(image[0], found))
        plants, leaves, cells = count(found, PLANT), count(found, LEAF), int(found.plant.sum())
        yield f"{path.name}: {plants} plants, {leaves} leaves, {cells} plant cells"


def overlay(image: NDArray[np.uint8], found: Segmentation) -> NDArray[np.uint8]:
    """The fitted picture with its leaves in colours, a dot at each leaf's centre and a ring at each plant's."""
    palette = np.random.default_rng(0).integers(64, 256, (len(found.objects) + 1, 3), np.uint8)
    colours = palette[found.instances - NONE]
    colours[~found.plant] = 0
    large = cv2.resize(colours, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    drawn = np.where(large.any(2, keepdims=True), image // 2 + large // 2, image)
    drawn = np.ascontiguousarray(drawn, np.uint8)
    for y, x, thing in zip(found.objects.y, found.objects.x, found.objects.thing, strict=True):
        place = (round((float(x) + 0.5) * STRIDE_PX), round((float(y) + 0.5) * STRIDE_PX))
        if thing == PLANT:
            cv2.circle(drawn, place, RING_PX, (0, 0, 255), 2)
        else:
            cv2.circle(drawn, place, DOT_PX, (255, 255, 255), -1)
    return drawn
