"""From the colours of a card's patches to a correction, and to the table that applies it to a picture's pixels."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.calibration.chart import PATCHES_LAB, REFERENCE
from edge.calibration.colourspace import Colours, ciede2000, encoded, from_lab, linear, to_lab
from edge.calibration.record import ColourCorrection
from edge.errors import CalibrationFailed

Kind = Literal["linear", "root_polynomial"]

DARKEST, BRIGHTEST = 3.0, 250.0
"""Between these a patch's channel tells how much light there was; beyond it is cut off."""

LEAST_WHOLE = 6
"""So many patches must be seen in all three channels; of the others the cut channels are estimated."""

MANY_WHOLE = 16
"""With fewer only the three linear terms are sought."""

PREFERRED = 0.9
"""Three more terms for each channel must bring the error of patches left out down to this share."""

STEPS = 128
"""Of each channel in the table: 8 MB. With half of them a blue that the light lacks is 10 of 255 off."""

SHADES = 8192
"""Of light, from none to all: finer than a step of sRGB even in the dark."""

HUBER = 1.5
ROUNDS = 8


def find_correction(patches: Colours) -> ColourCorrection:
    """The correction that brings patches to their known colours.

    Args:
        patches: mean sRGB values red, green, blue of each patch, in the chart's order, float64 [24, 3].

    Raises:
        CalibrationFailed: too many patches are cut off by the exposure.
    """
    cut = (patches <= DARKEST) | (patches >= BRIGHTEST)
    whole = ~cut.any(axis=1)
    if whole.sum() < LEAST_WHOLE:
        raise CalibrationFailed(
            f"only {whole.sum()} of the card's 24 patches are neither black nor burnt out in any channel, "
            f"{LEAST_WHOLE} are needed; lock an exposure in which the white patch lies just below 250"
        )
    usable = ~cut.all(axis=1)
    light, known, cut = linear(patches[usable]), PATCHES_LAB[usable], cut[usable]
    kinds: tuple[Kind, ...] = ("linear", "root_polynomial") if whole.sum() >= MANY_WHOLE else ("linear",)
    errors = {kind: _left_out(light, known, cut, kind) for kind in kinds}
    best = min(kinds, key=lambda kind: errors[kind].mean() * (1 if kind == "linear" else 1 / PREFERRED))
    matrix = _fitted(light, known, cut, best)
    seen, wanted = linear(patches[whole]), PATCHES_LAB[whole]
    return ColourCorrection(
        kind=best,
        matrix=tuple(tuple(row) for row in matrix.tolist()),
        reference=REFERENCE,
        patches=int(whole.sum()),
        before=float(ciede2000(to_lab(as_bright(seen, wanted)), wanted).mean()),
        after=float(ciede2000(to_lab(terms(seen, best) @ matrix.T), wanted).mean()),
        left_out=float(errors[best].mean()),
        worst=float(errors[best].max()),
    )


def as_bright(light: Colours, known: Colours) -> Colours:
    """The same light, more or less of it, as bright as what is known: only colour is left to differ."""
    wanted = from_lab(known)
    return np.asarray(light * ((light * wanted).sum() / (light * light).sum()), np.float64)


def terms(light: Colours, kind: Kind) -> Colours:
    """What a matrix is multiplied with, float64 [..., 3 or 6]; each term grows as the light does."""
    if kind == "linear":
        return light
    red, green, blue = np.moveaxis(np.maximum(light, 0), -1, 0)
    mixed = [np.sqrt(one * other) for one, other in ((red, green), (green, blue), (red, blue))]
    return np.concatenate([light, np.stack(mixed, axis=-1)], axis=-1)


def colour_table(correction: ColourCorrection) -> NDArray[np.uint8]:
    """Corrected colour of each colour of 7 bits a channel, uint8 [128 * 128 * 128, 4], as ``Region`` takes it."""
    middle = linear(np.arange(STEPS) * (256 / STEPS) + (256 / STEPS - 1) / 2)
    green, red = np.meshgrid(middle, middle, indexing="ij")
    shades = np.rint(encoded(np.arange(SHADES) / (SHADES - 1))).astype(np.uint8)
    matrix = np.array(correction.matrix).T
    table = np.full((STEPS, STEPS, STEPS, 4), 255, np.uint8)
    for step, blue in enumerate(middle):
        light = np.stack([red, green, np.full_like(red, blue)], axis=-1)
        corrected = np.clip(terms(light, correction.kind) @ matrix, 0, 1)
        table[step, ..., :3] = shades[np.rint(corrected[..., ::-1] * (SHADES - 1)).astype(np.int32)]
    return table.reshape(-1, 4)


def _left_out(light: Colours, known: Colours, cut: NDArray[np.bool_], kind: Kind) -> NDArray[np.float64]:
    """CIEDE2000 of each whole patch when the correction is found on all others."""
    errors = []
    for index in np.flatnonzero(~cut.any(axis=1)):
        others = np.arange(len(light)) != index
        matrix = _fitted(light[others], known[others], cut[others], kind)
        errors.append(ciede2000(to_lab(terms(light[index], kind) @ matrix.T), known[index]))
    return np.array(errors)


def _fitted(light: Colours, known: Colours, cut: NDArray[np.bool_], kind: Kind) -> NDArray[np.float64]:
    """Least squares, weighted as the eye weighs light (dark patches count as much), outliers less (Huber 1964).

    A burnt channel had at least the light that is seen; how much more is what the others make of it, in turn with the
    fit (expectation and maximization, Dempster, Laird & Rubin 1977).
    """
    wanted, guessed = from_lab(known), light
    seen = 1 / (np.maximum(wanted.mean(axis=1), 0) ** (2 / 3) + 0.02)
    weights = seen * ~cut.any(axis=1) if (~cut.any(axis=1)).sum() > 3 else seen
    matrix = np.zeros((3, terms(light[:1], kind).shape[1]))
    for _ in range(ROUNDS):
        inputs = terms(guessed, kind)
        matrix = np.linalg.lstsq(inputs * weights[:, None], wanted * weights[:, None], rcond=None)[0].T
        residual = np.sqrt((((inputs @ matrix.T - wanted) * seen[:, None]) ** 2).sum(axis=1))
        limit = HUBER * max(1.4826 * float(np.median(residual)), 1e-9)
        weights = seen * np.sqrt(np.minimum(1, limit / np.maximum(residual, 1e-12)))
        if kind == "linear" and cut.any():
            guessed = np.where(cut, np.maximum(light, wanted @ np.linalg.pinv(matrix).T), light)
    return np.asarray(matrix, np.float64)
