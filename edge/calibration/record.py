"""The calibration of one camera, as it is kept and named.

Each part is found by its own command and replaces that part alone. The digest is that of the canonical JSON, so the
same calibration has the same name on every device, and an observation that carries it can be measured again.
"""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, model_validator

from edge.contract.message import Count, Digest, Instant, Name, Wire
from edge.settings.base import Point
from edge.settings.camera import PlotSettings

Side = Annotated[int, Field(ge=1, le=8192)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Plain = Annotated[float, PlainSerializer(lambda value: float(f"{value:.12g}"))]
"""Written with twelve digits, which is what the digest names."""

Row = Annotated[tuple[Plain, ...], Field(min_length=3, max_length=3)]
Matrix = Annotated[tuple[Row, ...], Field(min_length=3, max_length=3)]


class Lens(Wire):
    """A pinhole and its distortion, OpenCV's five coefficients k1, k2, p1, p2, k3; lengths in px of the picture.

    ``rms_px`` is how far the board's corners lie from where this lens would show them.
    """

    focal_px: tuple[Positive, Positive]
    centre_px: tuple[Plain, Plain]
    distortion: Annotated[tuple[Plain, ...], Field(min_length=5, max_length=5)] = (0.0,) * 5
    rms_px: Annotated[float, Field(ge=0)] = 0.0
    pictures: Count = 0


class Scale(Wire):
    """Where each pixel's ray meets a plane, in mm.

    Attributes:
        kind: ``board`` from a printed board, ``distance`` from one known distance, which knows nothing of tilt.
        width_px, height_px: the picture that it holds for.
        plane: homography from px, without the lens's distortion, to mm on the plane, row by row.
        spread: homographies that fit as well within the noise of the corners: how sure the plane is, place by place.
        board_sd: how wrong the board's or the distance's length may be, as a share of it.
        residual_mm: root mean square of how far the corners lie from where the plane puts them.
        camera_height_mm: how far the camera stands from the plane, along the plane's normal, where that is known.
        canopy_height_mm, canopy_height_sd_mm: how high over the plane the leaves stand for which sizes hold.
        tilt_degree: between the camera's axis and the plane's normal, where the lens is known.
    """

    kind: Literal["board", "distance"]
    width_px: Side
    height_px: Side
    plane: Matrix
    spread: Annotated[tuple[Matrix, ...], Field(max_length=64)] = ()
    board_sd: Share = 0.002
    residual_mm: Annotated[float, Field(ge=0)] = 0.0
    corners: Count = 0
    lens: Lens | None = None
    camera_height_mm: Positive | None = None
    canopy_height_mm: Annotated[float, Field(ge=-5_000, le=5_000)] = 0.0
    canopy_height_sd_mm: Annotated[float, Field(ge=0, le=5_000)] = 0.0
    tilt_degree: float | None = None

    @model_validator(mode="after")
    def _height_known(self) -> "Scale":
        if (self.canopy_height_mm or self.canopy_height_sd_mm) and self.camera_height_mm is None:
            raise ValueError("a height of the canopy tells nothing without the camera's height over the plane")
        if self.camera_height_mm is not None and self.canopy_height_mm >= self.camera_height_mm:
            raise ValueError(f"the canopy, {self.canopy_height_mm} mm, reaches the camera, {self.camera_height_mm} mm")
        return self

    @property
    def nearer(self) -> float:
        """Lengths at the canopy's height by those on the plane: what stands nearer to the camera looks larger."""
        return 1.0 if self.camera_height_mm is None else 1 - self.canopy_height_mm / self.camera_height_mm

    @property
    def height_sd(self) -> float:
        """What the canopy's height leaves unknown of a length, as a share of it."""
        if self.camera_height_mm is None:
            return 0.0
        return self.canopy_height_sd_mm / (self.camera_height_mm - self.canopy_height_mm)


class ColourCorrection(Wire):
    """From the camera's colours to those under a standard light, found on a card with 24 patches.

    Attributes:
        kind: ``linear`` is three terms r, g, b of linear light; ``root_polynomial`` three more, the geometric means
            of each two (Finlayson, Mackiewicz & Hurlbert 2015): both keep their answer under more or less light.
        matrix: rows red, green, blue; a column for each term.
        reference: which values the patches are known to have.
        before, after, left_out: mean CIEDE2000 over the patches: uncorrected but as bright; corrected; of each
            patch when the correction is found on the others.
        worst: the largest of ``left_out``.
    """

    kind: Literal["linear", "root_polynomial"]
    matrix: Annotated[
        tuple[Annotated[tuple[Plain, ...], Field(min_length=3, max_length=6)], ...], Field(min_length=3, max_length=3)
    ]
    reference: Name
    patches: Count
    before: float
    after: float
    left_out: float
    worst: float


class Reference(Wire):
    """The picture that shows where the camera stood; ``picture`` names its PNG, ``hidden`` what is not to be looked at.

    Outlines are corners (x, y) as fractions of the picture.
    """

    picture: Digest
    hidden: Annotated[tuple[tuple[Point, ...], ...], Field(max_length=64)] = ()


class Calibration(Wire):
    """Everything known of one camera, each part with the moment it was found at."""

    camera: Name
    scale: Scale | None = None
    scale_at: Instant | None = None
    colour: ColourCorrection | None = None
    colour_at: Instant | None = None
    plots: PlotSettings | None = None
    plots_at: Instant | None = None
    reference: Reference | None = None
    reference_at: Instant | None = None

    @property
    def digest(self) -> Digest:
        """Its name on the wire."""
        return f"sha256:{hashlib.sha256(self.encode()).hexdigest()}"

    @property
    def empty(self) -> bool:
        """Nothing of it is left."""
        return not (self.scale or self.colour or self.plots or self.reference)

    def encode(self) -> bytes:
        """Canonical JSON (sorted keys, no spaces)."""
        tree = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
