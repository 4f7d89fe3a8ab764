"""Pictures with what a network found drawn in: for people who want to see why a number is what it is."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from edge.preprocess import fit
from edge.segmentation import decode
from training.evaluate import count, draft_manifest, torch_look
from training.network import Network
from training.overlay import overlay
from training.reference import read_pictures

TOP_K = 512


def predict_pictures(network: Network, pictures: Sequence[Path], folder: Path, size_px: int) -> Iterator[str]:
    """Write one PNG for each picture into ``folder``; yields a line on each.

    Raises:
        FrameUnreadable: a file is no picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = draft_manifest(network, size_px, TOP_K)
    look = torch_look(network, TOP_K)
    for path, pixels in zip(pictures, read_pictures(pictures), strict=True):
        image, placement = fit(pixels, size_px, size_px)
        found = decode(look(image), manifest, placement)
        cv2.imwrite(str(folder / f"{path.stem}.png"), overlay(image[0], found, manifest))
        counts = [f"{count(found, index)} {thing.name}" for index, thing in enumerate(manifest.things)]
        yield f"{path.name}: {', '.join(counts)}, {int(found.plant.sum())} plant cells"
