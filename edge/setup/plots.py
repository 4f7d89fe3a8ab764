"""Plots for a camera that is being set up: proposed from the plants that the model finds, or a grid by its size."""

import re
from typing import Any

from edge.calibration.plants import find_plants
from edge.calibration.pots import propose
from edge.contract.traits import VOCABULARY
from edge.errors import CanopyError, ConfigError
from edge.frame import Frame
from edge.lookout import View
from edge.model import LoadedModel
from edge.plots import Plots
from edge.preprocess import fit
from edge.settings import CameraSettings, checked
from edge.traits import measure

FOUND, WHOLE = "found", "whole"
GRID = re.compile(r"(\d{1,3})\s*[x×]\s*(\d{1,3})")


def proposed(frame: Frame, model: LoadedModel) -> dict[str, Any] | None:
    """Plots around the pots in which plants stand in rows; None where they do not."""
    size_px = frame.pixels.shape[:2]
    try:
        found = propose(find_plants(frame.pixels, model), size_px, None, None)
    except CanopyError:
        return None
    document: dict[str, Any] = found.plots.model_dump(mode="json")
    return document


def plots_of(words: str, found: dict[str, Any] | None) -> dict[str, Any] | None:
    """The plots that ``3x6``, ``found`` or ``whole`` mean.

    Raises:
        ConfigError: it means none.
    """
    words = words.strip().lower()
    if words == WHOLE:
        return None
    if words == FOUND and found is not None:
        return found
    if (match := GRID.fullmatch(words)) is None:
        raise ConfigError(f"{words!r} says no plots: ROWSxCOLUMNS such as 3x6, or {WHOLE} for the whole picture as one")
    grid = {"kind": "grid", "rows": int(match[1]), "columns": int(match[2])}
    checked(CameraSettings, {"name": "x", "source": {"kind": "v4l2", "device": 0}, "plots": grid}, "the grid")
    return grid


def looked_at(frame: Frame, model: LoadedModel, camera: CameraSettings) -> View:
    """What the model finds in the picture, by plots, whatever its quality.

    Raises:
        CanopyError: a plot is too small, or the model fails.
    """
    entry = model.manifest.input
    image, placement = fit(frame.pixels, entry.height_px, entry.width_px)
    segmentation, plots = model.segment(image, placement), Plots(camera.plots).on(placement)
    measured = measure(image, segmentation, plots, model.manifest)
    return View(frame, image, placement, model.manifest, (), segmentation, plots, tuple(measured))


def counted(view: View) -> str:
    """What was found, in words."""
    totals: dict[str, float] = {}
    for trait in (trait for plot in view.measured for trait in plot.traits if trait.trait.endswith("_count")):
        totals[trait.trait] = totals.get(trait.trait, 0) + trait.value
    planted = sum(plot.outcome.value == "measured" for plot in view.measured)
    counts = ", ".join(f"{total:.0f} {VOCABULARY[name].label}" for name, total in totals.items())
    return f"{planted} of {len(view.measured)} plots have a plant; {counts or 'nothing was counted'}"
