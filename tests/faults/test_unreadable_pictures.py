"""Broken picture files: each is a failed reading with its time and number, and the next one is read."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import edge.sources.folder
from edge.errors import EndOfSource, FrameUnreadable
from edge.settings import CameraSettings
from edge.sources import FrameSource, open_source

PICTURE = np.random.default_rng(5).integers(0, 256, (120, 160, 3), np.uint8)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, PICTURE)[1].tobytes()


def saved(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def png_of_size(width_px: int, height_px: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def folder_of(path: Path, first: str, content: bytes) -> FrameSource:
    """A folder whose first picture holds ``content``, and whose second is good."""
    (path / f"2026-05-01_12-00_{first}").write_bytes(content)
    (path / "2026-05-01_13-00.png").write_bytes(encoded(".png"))
    return open_source(CameraSettings(name="bench", source={"kind": "folder", "path": path}))


def assert_failed_reading_then_good_one(source: FrameSource, reason: str) -> None:
    with source:
        with pytest.raises(FrameUnreadable, match=reason) as caught:
            source.read()
        good = source.read()
        with pytest.raises(EndOfSource):
            source.read()
    broken = caught.value
    assert (broken.camera_id, broken.frame_id, good.frame_id) == ("bench", 0, 1)
    assert (good.captured_at - broken.captured_at).total_seconds() == 3600
    assert broken.monotonic_s <= good.monotonic_s
    assert "2026-05-01_12-00" in str(broken)
    np.testing.assert_array_equal(good.pixels, PICTURE)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.97])
def test_a_truncated_picture_is_a_failed_reading_not_a_crash(tmp_path, suffix, share):
    whole = encoded(suffix)
    assert_failed_reading_then_good_one(
        folder_of(tmp_path, f"a{suffix}", whole[: int(len(whole) * share)]), "cannot be read"
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jpg", b"", "empty"),
        ("a.jpg", b"Greenhouse 4: water twice a day\n" * 9, "cannot identify"),
        ("a.png", png_of_size(0, 10), "cannot be read"),
        ("a.png", png_of_size(9000, 10), "9000 x 10 px"),
        ("a.png", png_of_size(12_000, 12_000), "12000 x 12000 px; allowed"),
        ("a.png", png_of_size(60_000, 60_000), "60000 x 60000 px; allowed"),
        ("a.png", saved(Image.new("P", (9, 9)), "GIF"), "cannot identify"),
        ("a.tif", saved(Image.new("I", (9, 9), 70_000), "TIFF"), "32 bits.*save it with 8 or 16"),
        ("a.tif", saved(Image.new("F", (9, 9), 0.5), "TIFF"), "32 bits.*save it with 8 or 16"),
    ],
    ids=["empty", "text", "no-width", "too-wide", "large", "bomb", "gif", "32-bit", "float"],
)
def test_a_file_that_is_no_fit_picture_is_a_failed_reading(tmp_path, name, content, reason):
    assert_failed_reading_then_good_one(folder_of(tmp_path, name, content), reason)


def test_a_file_too_large_is_a_failed_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(edge.sources.folder, "MAX_FILE_BYTES", len(encoded(".png")))
    big = encoded(".png") + bytes(1)
    assert_failed_reading_then_good_one(folder_of(tmp_path, "a.png", big), f"{len(big)} bytes")


def test_a_file_that_vanished_is_a_failed_reading(tmp_path):
    source = folder_of(tmp_path, "a.png", encoded(".png"))
    source.open()
    (tmp_path / "2026-05-01_12-00_a.png").unlink()
    with pytest.raises(FrameUnreadable, match="No such file"):
        source.read()
    assert source.read().frame_id == 1


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([".jpg", ".png", ".bmp", ".tif", ".webp"]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_headers_never_raise_anything_else(tmp_path, suffix, damage):
    content = bytearray(encoded(suffix))
    for place, value in damage:
        content[place] = value
    for old in tmp_path.iterdir():
        old.unlink()
    with folder_of(tmp_path, f"a{suffix}", bytes(content)) as source:
        with contextlib.suppress(FrameUnreadable):
            assert source.read().pixels.dtype == np.uint8
        assert source.read().frame_id == 1
