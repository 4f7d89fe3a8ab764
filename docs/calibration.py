"""Draws the pictures of docs/calibration.md: ``python -m docs.calibration``."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.calibration.board import BOARDS
from edge.calibration.card import find_card
from edge.calibration.overlay import with_outline, with_plots
from edge.calibration.plants import find_plants
from edge.calibration.pots import propose
from edge.calibration.scale import find_corners, hull_of
from edge.model import LoadedModel
from edge.settings import InferenceSettings
from tests.sim.bench import BenchCamera, developed
from tests.sim.colour_card import drawn_card, on_bench
from training.synthetic.timelapse import Tray, render_timelapse

FOLDER = Path(__file__).parent
WIDTH_PX = 640
QUALITY = 82


def board() -> NDArray[np.uint8]:
    """A tilted camera over the board: its corners, and what the reference picture hides."""
    chosen = BOARDS["a4"]
    sheet = cv2.copyMakeBorder(chosen.picture(4.0), 40, 40, 60, 60, cv2.BORDER_CONSTANT, value=255)
    camera = BenchCamera(tilt_degree=(14, 6), turn_degree=12, height_mm=700)
    picture = developed(camera.look(np.asarray(sheet, np.uint8), 4.0), np.random.default_rng(1))
    corners = find_corners(picture, chosen)
    return with_outline(picture, hull_of(corners, chosen), corners.px)


def card() -> NDArray[np.uint8]:
    """A card as a camera with its own colours sees it, and where its patches were found."""
    picture = on_bench(drawn_card(), 8, 1.4, np.random.default_rng(5))
    found = find_card(picture)
    return with_outline(picture, found.outline, found.places)


def plots() -> NDArray[np.uint8]:
    """A rendered tray with two empty pots: the plants found, and the plots proposed."""
    settings = InferenceSettings(package=FOLDER.parent / "packages" / "rosette")
    *_, last = render_timelapse(101, Tray(), 12.6, 12)
    picture = last.scene.pixels
    found = find_plants(picture, LoadedModel.load(settings.package, settings))
    return with_plots(picture, propose(found, (picture.shape[0], picture.shape[1]), 3, 5))


def main() -> None:
    """Draw all of them anew."""
    for draw in (board, card, plots):
        drawn = draw()
        size = WIDTH_PX, round(drawn.shape[0] * WIDTH_PX / drawn.shape[1])
        small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(FOLDER / f"calibration-{draw.__name__}.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    main()
