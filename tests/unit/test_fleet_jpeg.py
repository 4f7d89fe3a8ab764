"""A picture is looked at before a browser gets it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.jpeg import dimensions

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_tells_its_size(progressive: int) -> None:
    made = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1]
    assert dimensions(made.tobytes()) == (64, 48)


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n", JPEG[:-2], JPEG[:20] + b"\xff\xd9", b"\xff\xd8\xff\xd9"],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="JPEG"):
        dimensions(data)


@given(st.binary(max_size=200))
def test_any_bytes_between_the_marks_end_in_a_size_or_a_refusal(data: bytes) -> None:
    try:
        width, height = dimensions(b"\xff\xd8\xff" + data + b"\xff\xd9")
    except ValueError:
        return
    assert 0 < width <= 10_000
    assert 0 < height <= 10_000
