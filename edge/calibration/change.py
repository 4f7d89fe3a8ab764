"""One part of a camera's calibration replaced by what was just found."""

import numpy as np
from numpy.typing import NDArray

from edge.calibration.pictures import as_reference
from edge.calibration.record import Calibration, ColourCorrection, Reference, Scale
from edge.calibration.store import CalibrationStore
from edge.clock import utc_now
from edge.contract.message import Instant
from edge.settings import PlotSettings

Outline = NDArray[np.float64]


def put_scale(store: CalibrationStore, scale: Scale, picture: NDArray[np.uint8], board: Outline | None) -> Calibration:
    """Measure by ``scale`` from now on; the camera stands where ``picture`` shows, in which the board is to be hidden.

    Raises:
        StoreError: it cannot be kept.
    """
    now = utc_now()
    parts = {"scale": scale, "scale_at": now} | _reference(store, picture, board, now)
    return _put(store, parts)


def put_colour(
    store: CalibrationStore, colour: ColourCorrection, picture: NDArray[np.uint8], card: Outline
) -> Calibration:
    """Correct colours by ``colour`` from now on. Where a camera stands is not what a card tells, unless nothing does.

    Raises:
        StoreError: it cannot be kept.
    """
    now = utc_now()
    parts: dict[str, object] = {"colour": colour, "colour_at": now}
    return _put(store, parts if store.read().reference else parts | _reference(store, picture, card, now))


def put_plots(store: CalibrationStore, plots: PlotSettings, picture: NDArray[np.uint8]) -> Calibration:
    """Look at ``plots`` from now on, which lie where ``picture`` shows.

    Raises:
        StoreError: it cannot be kept.
    """
    now = utc_now()
    return _put(store, {"plots": plots, "plots_at": now} | _reference(store, picture, None, now))


def put_reference(store: CalibrationStore, picture: NDArray[np.uint8]) -> Calibration:
    """Say that the camera stands where it should.

    Raises:
        StoreError: it cannot be kept.
    """
    return _put(store, _reference(store, picture, None, utc_now()))


def drop(store: CalibrationStore, part: str | None) -> Calibration:
    """Forget one part, or all.

    Raises:
        StoreError: it cannot be kept.
    """
    if part is None:
        calibration = Calibration(camera=store.camera)
        store.write(calibration)
        return calibration
    return _put(store, {part: None, f"{part}_at": None})


def _reference(
    store: CalibrationStore, picture: NDArray[np.uint8], hidden: Outline | None, now: Instant
) -> dict[str, object]:
    size = np.array(picture.shape[1::-1])
    outlines = () if hidden is None else (tuple((float(x), float(y)) for x, y in (hidden / size).clip(0, 1)),)
    return {
        "reference": Reference(picture=store.keep_picture(as_reference(picture)), hidden=outlines),
        "reference_at": now,
    }


def _put(store: CalibrationStore, parts: dict[str, object]) -> Calibration:
    calibration = store.read().model_copy(update=parts)
    store.write(calibration)
    return calibration
