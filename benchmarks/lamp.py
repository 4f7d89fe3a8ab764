"""How well purple light is told from other light: photographs, rendered scenes, and those scenes under purple lamps.

``python -m benchmarks.lamp [FOLDER …]`` prints how many of each lie over thresholds of the ratio of ``edge.quality``.
Folders of photographs that were taken in white light may be given.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import fit
from edge.quality import lamp_ratio
from training.synthetic import render_rosettes, render_vines

THRESHOLDS = (1.1, 1.15, 1.2, 1.25, 1.3)
SCENES = 60
SIDE_PX = 512
MAX_PICTURES = 1_000
LAMPS = {"half its green left": (0.5, 0.6), "a third": (0.3, 0.4), "a tenth": (0.08, 0.15), "as rendered": (0.55, 0.8)}


def ratio_of(pixels: NDArray[np.uint8]) -> float:
    image, placement = fit(pixels, SIDE_PX, SIDE_PX)
    picture = image[0][placement.region]
    return lamp_ratio(picture, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def photographs(folders: list[str]) -> Iterator[NDArray[np.uint8]]:
    files = sorted(file for folder in folders for file in Path(folder).rglob("*") if "mask" not in str(file))
    for file in [each for each in files if each.suffix in {".jpg", ".png"}][:MAX_PICTURES]:
        pixels = cv2.imread(str(file))
        if pixels is not None:
            yield np.asarray(pixels, np.uint8)


def scenes() -> Iterator[NDArray[np.uint8]]:
    for seed in range(SCENES):
        yield render_rosettes(seed, 384, 512).pixels
        yield render_vines(seed, 384, 512).pixels


def under_lamp(pixels: NDArray[np.uint8], green: float) -> NDArray[np.uint8]:
    return np.clip(pixels * np.array([1.1, green, 1.1]), 0, 255).astype(np.uint8)


def show(name: str, ratios: list[float]) -> None:
    over = "  ".join(f"{100 * np.mean(np.array(ratios) > limit):5.1f} %" for limit in THRESHOLDS)
    print(f"{name:34} {len(ratios):5}  {np.median(ratios):6.2f}  {max(ratios):5.2f}  {over}")


def main() -> None:
    print(f"{'':34} {'n':>5}  median    max  " + "  ".join(f"> {limit:4.2f} " for limit in THRESHOLDS))
    if photos := [ratio_of(pixels) for pixels in photographs(sys.argv[1:])]:
        show("photographs", photos)
    rendered = list(scenes())
    show("rendered scenes, all lights", [ratio_of(pixels) for pixels in rendered])
    rng = np.random.default_rng(0)
    for name, (least, most) in LAMPS.items():
        show(f"purple, {name}", [ratio_of(under_lamp(pixels, rng.uniform(least, most))) for pixels in rendered])


if __name__ == "__main__":
    main()
