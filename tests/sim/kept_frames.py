"""Frames kept for training, as a device describes them."""

import hashlib
from datetime import datetime, timedelta, timezone

import cv2
import numpy as np

from edge.contract.frames import KeptFrame, Reason
from edge.contract.masks import packed


def described(number: int) -> tuple[KeptFrame, bytes]:
    """A frame of its own for each number."""
    pixels = np.full((64, 96, 3), number % 250, np.uint8)
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes() + b"\x00" * (number % 7) + b"\xff\xd9"
    at = datetime(2026, 3, 1, tzinfo=timezone.utc) + timedelta(seconds=number)
    digest = f"sha256:{hashlib.sha256(jpeg).hexdigest()}"
    frame = KeptFrame(
        site="gh", device="cam", camera="top", captured_at=at, clock_ok=True, image=digest, image_bytes=len(jpeg),
        height_px=64, width_px=96, model="sha256:" + "0" * 64, reason=Reason.RANDOM, probability=0.5,
        categories=("leaf",), grid=(16, 24), cell_px=4.0,
        labels=({"category": "leaf", "score": 0.9, "counts": packed([10, 20, 354])},),
    )  # fmt: skip
    return frame, jpeg
