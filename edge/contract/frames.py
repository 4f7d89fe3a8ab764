"""Frames that come home for training: what is known of each, and how a device hands it to the fleet.

A frame is a JPEG, named by its digest, and this description. Over HTTP (``FRAMES_PATH``) a device announces the
description, sends the JPEG in pieces from the offset that the fleet names, and forgets it once the fleet says that it
is ``stored``. Each request is signed by the key of the device's certificate (``signed_text``); whatever is sent twice
does no harm, because contents have their digest for a name.
"""

import hashlib
from enum import Enum
from typing import Annotated, Any

from pydantic import Field, model_validator

from edge.contract.masks import unpacked
from edge.contract.message import Digest, Instant, Label, Message, Name, Wire

FRAMES_PATH = "/frames/"
CERTIFICATE_HEADER, SIGNED_AT_HEADER, SIGNATURE_HEADER = "canopy-certificate", "canopy-signed-at", "canopy-signature"
"""The certificate's DER and the signature in base64; the time in ISO 8601."""

PIECE_BYTES = 65_536
MAX_DESCRIPTION_BYTES = 90_000
MAX_FRAME_BYTES = 4_000_000
MAX_LABELS = 2_000
Side = Annotated[int, Field(ge=1, le=10_000)]


class Reason(str, Enum):
    """Why a frame was kept."""

    UNCERTAIN = "uncertain"
    DRIFTED = "drifted"
    DISAGREEING = "disagreeing"
    RANDOM = "random"


class PreLabel(Wire):
    """What the model found: an instance, or with ``crowd`` all cells of a class that nobody counts.

    ``counts``: run lengths on the frame's grid, packed as COCO packs them.
    """

    category: Name
    score: Annotated[float, Field(ge=0, le=1)]
    counts: Annotated[str, Field(min_length=1, max_length=40_000)]
    crowd: bool = False


class KeptFrame(Message):
    """What is known of a frame.

    Attributes:
        image: digest of the JPEG.
        image_bytes: its length.
        height_px, width_px: its size.
        reason: why it was kept.
        probability: the chance that it had of being kept, given all that came before: its inverse weighs the frame in
            estimates of the whole.
        certainty: the mean certainty of each class.
        evidence: how much speaks for a change of each statistic that had an alarm.
        plots: the settings of the camera's plots, as they stand in its file.
        blanked: whether parts were made black before anything was written.
        filtered: whether the device's privacy filter has gone over it.
        grid: rows and columns of the labels' grid, whose first cell lies in the picture's top left corner.
        cell_px: side of a cell in px of the JPEG.
    """

    site: Name
    device: Name
    camera: Name
    captured_at: Instant
    clock_ok: bool
    image: Digest
    image_bytes: Annotated[int, Field(ge=1, le=MAX_FRAME_BYTES)]
    height_px: Side
    width_px: Side
    model: Digest
    model_name: Label = ""
    calibration: Digest | None = None
    reason: Reason
    probability: Annotated[float, Field(gt=0, le=1)]
    certainty: Annotated[dict[Name, float], Field(max_length=64, default_factory=dict)]
    evidence: Annotated[dict[Label, float], Field(max_length=64, default_factory=dict)]
    plots: dict[str, Any] | None = None
    blanked: bool = False
    filtered: bool = False
    categories: Annotated[tuple[Name, ...], Field(max_length=64)]
    grid: tuple[Side, Side]
    cell_px: Annotated[float, Field(gt=0, le=10_000)]
    labels: Annotated[tuple[PreLabel, ...], Field(max_length=MAX_LABELS)] = ()

    @model_validator(mode="after")
    def _labels_fit(self) -> "KeptFrame":
        cells = self.grid[0] * self.grid[1]
        if cells > 1_000_000:
            raise ValueError(f"a grid of {self.grid[0]} x {self.grid[1]} cells")
        for label in self.labels:
            if label.category not in self.categories:
                raise ValueError(f"a label of {label.category}, which is none of the frame's categories")
            unpacked(label.counts, cells)
        return self


class Receipt(Wire):
    """The fleet's answer: how much of the JPEG it has, and whether it has all of it for good."""

    offset: Annotated[int, Field(ge=0, le=MAX_FRAME_BYTES)]
    stored: bool = False


def frame_path(image: Digest) -> str:
    """Where a frame is announced (POST) and sent (PUT, with ``?offset=``)."""
    return FRAMES_PATH + image.removeprefix("sha256:")


def signed_text(method: str, path: str, at: str, body: bytes) -> str:
    """What a device signs of a request; ``path`` with its query."""
    return f"{method} {path}\n{at}\n{hashlib.sha256(body).hexdigest()}"
