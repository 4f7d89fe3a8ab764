"""Masks of the plant by PlantCV, its thresholds tuned by hand for each kind of photograph: what real.py compares with.

PlantCV brings its own OpenCV, so it has an environment of its own:

    python -m venv .venv-plantcv && .venv-plantcv/bin/pip install 'plantcv==4.*'
    .venv-plantcv/bin/python benchmarks/plantcv_masks.py ../shared/data build/plantcv
"""

import sys
from pathlib import Path

import cv2
from plantcv import plantcv as pcv

RECIPES = {
    # folder: (Lab a below, Lab b above, smallest region in px)
    "arabidopsis-timelapse": (118, 0, 60),
    "colour-card": (126, 131, 100_000),
    "side-view": (124, 132, 200),
}


def main() -> None:
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    pcv.params.debug = None
    for folder, (green, yellow, smallest_px) in RECIPES.items():
        (out / folder).mkdir(parents=True, exist_ok=True)
        for path in sorted((data / folder).glob("*.jpg")):
            picture, _, _ = pcv.readimage(str(path))
            mask = pcv.logical_and(
                pcv.threshold.binary(pcv.rgb2gray_lab(picture, "a"), threshold=green, object_type="dark"),
                pcv.threshold.binary(pcv.rgb2gray_lab(picture, "b"), threshold=yellow, object_type="light"),
            )
            cv2.imwrite(str(out / folder / f"{path.stem}.png"), pcv.fill(mask, smallest_px))


if __name__ == "__main__":
    main()
