"""What ``canopy calibrate`` prints for people, in 80 columns."""

import math

import numpy as np
import yaml
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge.calibration.overlay import text_map
from edge.calibration.plane import mapped
from edge.calibration.pots import Proposal
from edge.calibration.record import Calibration, ColourCorrection, Scale


def scale_view(scale: Scale) -> RenderableType:
    """One scale: its size in the middle and at the corners, how sure, and what is left out."""
    table = Table.grid(padding=(0, 2))
    for name, value in _of_scale(scale):
        table.add_row(name, value)
    return table


def colour_view(colour: ColourCorrection) -> RenderableType:
    """One correction."""
    table = Table.grid(padding=(0, 2))
    for name, value in _of_colour(colour):
        table.add_row(name, value)
    return table


def plots_view(proposal: Proposal, *, applied: bool) -> RenderableType:
    """The map, what belongs to no plot, and the settings to paste."""
    settings = yaml.safe_dump(
        {"plots": proposal.plots.model_dump(mode="json")}, sort_keys=False, default_flow_style=None
    )
    said = (
        f"{proposal.rows} rows of {proposal.columns}; {len(proposal.planted)} plants in them, "
        f"{len(proposal.strays)} in none; plants stand {100 * proposal.spread:.0f} % of a pot from the middle"
    )
    last = "these plots are in force" if applied else f"to paste under the camera:\n{settings}"
    return Group(Text(text_map(proposal)), Text(said), Text(last))


def calibrations_view(calibrations: list[Calibration], kept: list[int]) -> RenderableType:
    """Each camera with what is known of it."""
    table = Table.grid(padding=(0, 2))
    for calibration, count in zip(calibrations, kept, strict=True):
        table.add_row(
            Text(calibration.camera, style="bold"), "not calibrated" if calibration.empty else calibration.digest[:19]
        )
        for scale, at in ((calibration.scale, calibration.scale_at),) if calibration.scale else ():
            table.add_row("scale", f"{at:%Y-%m-%d %H:%M}")
            for name, value in _of_scale(scale):
                table.add_row(f"  {name}", value)
        if calibration.colour:
            table.add_row("colour", f"{calibration.colour_at:%Y-%m-%d %H:%M}")
            for name, value in _of_colour(calibration.colour):
                table.add_row(f"  {name}", value)
        if calibration.plots:
            table.add_row("plots", f"{calibration.plots.kind}, {calibration.plots_at:%Y-%m-%d %H:%M}")
        if calibration.reference:
            table.add_row("reference", f"{calibration.reference_at:%Y-%m-%d %H:%M}")
        table.add_row("kept", str(count))
    return table


def _of_scale(scale: Scale) -> list[tuple[str, str]]:
    sizes = _px_mm(scale)
    noise = [_px_mm(scale.model_copy(update={"plane": each}))[0] for each in scale.spread]
    sd = math.hypot(float(np.std(np.log(noise))) if noise else 0.0, scale.board_sd, scale.height_sd)
    rows = [
        ("1 px", f"{sizes[0]:.4f} mm in the middle, {min(sizes[1:]):.4f} to {max(sizes[1:]):.4f} mm at the corners"),
        ("uncertainty", f"{100 * sd:.2f} % of a length, {200 * sd:.2f} % of an area (one standard deviation)"),
    ]
    if scale.kind == "board":
        rows.append(("corners", f"{scale.corners}, {scale.residual_mm:.2f} mm off in the mean"))
    if scale.tilt_degree is not None:
        rows.append(("tilt", f"{scale.tilt_degree:.1f} degrees"))
    if scale.lens:
        rows.append(("lens", f"from {scale.lens.pictures} pictures, {scale.lens.rms_px:.2f} px off"))
    else:
        rows.append(("lens", "not known: a wide one makes px near the edges smaller; show 4 pictures or more"))
    if scale.camera_height_mm:
        per_cm = 1000 / scale.camera_height_mm
        rows.append(("height", f"{scale.camera_height_mm:.0f} mm; leaves 10 mm higher look {per_cm:.1f} % longer"))
        rows.append(("holds", f"{scale.canopy_height_mm:.0f} ± {scale.canopy_height_sd_mm:.0f} mm over the board"))
    else:
        rows.append(("height", "not known: sizes hold for what lies as high as the board"))
    return rows


def _px_mm(scale: Scale) -> list[float]:
    """Side of a px in the middle and in the four corners of the picture."""
    width, height = scale.width_px, scale.height_px
    places = np.array([[width / 2, height / 2], [0, 0], [width, 0], [0, height], [width, height]], np.float64)
    right, below = places + np.array([0.5, 0]), places + np.array([0, 0.5])
    here = mapped(places, scale.plane)
    (ax, ay), (bx, by) = (2 * (mapped(each, scale.plane) - here).T for each in (right, below))
    return [float(each) for each in np.sqrt(np.abs(ax * by - ay * bx)) * scale.nearer]


def _of_colour(colour: ColourCorrection) -> list[tuple[str, str]]:
    rows = [
        ("CIEDE2000", f"{colour.before:.1f} before, {colour.after:.1f} after"),
        ("left out", f"{colour.left_out:.1f} in the mean, {colour.worst:.1f} at worst, of patches not used"),
        ("kind", f"{colour.kind.replace('_', ' ')}; reference {colour.reference}"),
    ]
    if colour.patches < 24:
        rows.append(
            ("patches", f"{24 - colour.patches} of 24 are black or burnt out; expose so that white is below 250")
        )
    return rows
