"""PlantCV's side, in an environment of its own: mask, labels, size and colour of ten plants, as its tutorials do it.

python plantcv_peer.py FRAME_PNG; the picture is reduced to 640 x 480 first, which PlantCV is not charged for
"""

import sys

import cv2
import numpy as np
from plantcv import plantcv as pcv
from worker import serve

OBJECTS = 10
WIDTH_PX, HEIGHT_PX = 640, 480


def main() -> None:
    cv2.setNumThreads(1)
    pcv.params.debug = None
    picture = cv2.resize(cv2.imread(sys.argv[1]), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)

    def analyze(colour: bool) -> int:
        pcv.outputs.clear()
        grey = pcv.rgb2gray_lab(rgb_img=picture, channel="a")
        mask = pcv.threshold.otsu(gray_img=grey, object_type="dark")
        mask = pcv.fill_holes(bin_img=pcv.closing(gray_img=pcv.fill(bin_img=mask, size=50)))
        labels = ten_of(mask)
        pcv.analyze.size(img=picture, labeled_mask=labels, n_labels=OBJECTS)
        if colour:
            pcv.analyze.color(rgb_img=picture, labeled_mask=labels, n_labels=OBJECTS, colorspaces="hsv")
        return int(labels.max())

    serve(
        {"plantcv": lambda: analyze(colour=True), "plantcv without colour": lambda: analyze(colour=False)},
        plantcv=getattr(pcv, "__version__", "4"),
    )


def ten_of(mask: np.ndarray) -> np.ndarray:
    """The ten largest regions, numbered from 1."""
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask)
    largest = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:OBJECTS] + 1
    ranks = np.zeros(len(stats), np.uint8)
    ranks[largest] = np.arange(1, len(largest) + 1)
    return ranks[numbers]


if __name__ == "__main__":
    main()
