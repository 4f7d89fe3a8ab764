"""A folder of pictures: order, times, limits."""

import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import edge.sources.folder
from edge.errors import CameraLost, CaptureError
from edge.settings import CameraSettings
from edge.sources import FrameSource, open_look, open_source
from tests.sim.camera import read_all

DATA = Path(__file__).parents[3] / "shared" / "data"
PICTURE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
WIDE = np.zeros((48, 80, 3), np.uint8)


def folder(path: Path) -> FrameSource:
    return open_source(CameraSettings(name="bench", source={"kind": "folder", "path": path}))


def write(path: Path, picture: np.ndarray = PICTURE) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def local(*fields: int) -> datetime:
    return datetime(*fields).astimezone(timezone.utc)


def with_exif(path: Path, original: str, offset: str | None = None) -> None:
    exif = Image.Exif()
    tags = exif.get_ifd(0x8769)
    tags[0x9003] = original
    if offset:
        tags[0x9011] = offset
    Image.fromarray(PICTURE).save(path, exif=exif)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_pixels_are_what_was_written_in_bgr(tmp_path, suffix):
    write(tmp_path / f"a{suffix}")
    (frame,) = read_all(folder(tmp_path))
    np.testing.assert_array_equal(frame.pixels, PICTURE)
    assert frame.pixels.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_files_are_read_in_bgr(tmp_path, suffix):
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[..., 0] = 200
    write(tmp_path / f"a{suffix}", blue)
    (frame,) = read_all(folder(tmp_path))
    np.testing.assert_allclose(frame.pixels, blue, atol=8)


def test_a_grey_picture_of_16_bits_keeps_its_brightness(tmp_path):
    write(tmp_path / "a.png", np.full((4, 4), 0x80FF, np.uint16))
    (frame,) = read_all(folder(tmp_path))
    assert frame.pixels.shape == (4, 4, 3)
    assert np.unique(frame.pixels).tolist() == [0x80]


@pytest.mark.parametrize(("suffix", "mode"), [(".jpg", "CMYK"), (".tif", "CMYK"), (".png", "P"), (".png", "RGBA")])
def test_every_way_to_keep_colours_gives_the_same_pixels(tmp_path, suffix, mode):
    Image.new("RGB", (64, 48), (204, 102, 51)).convert(mode).save(tmp_path / f"a{suffix}")
    (frame,) = read_all(folder(tmp_path))
    np.testing.assert_allclose(frame.pixels, np.full((48, 64, 3), (51, 102, 204)), atol=2)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_of_16_bits_keep_their_brightness(tmp_path, suffix):
    write(tmp_path / f"a{suffix}", PICTURE.astype(np.uint16) << 8)
    (frame,) = read_all(folder(tmp_path))
    np.testing.assert_array_equal(frame.pixels, PICTURE)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_of_many_pictures_in_one_file_the_first_is_read(tmp_path, suffix):
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("green", "red"))
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second])
    (frame,) = read_all(folder(tmp_path))
    np.testing.assert_allclose(frame.pixels, np.full((48, 64, 3), (0, 128, 0)), atol=2)


def test_a_picture_of_one_pixel_is_a_picture(tmp_path):
    write(tmp_path / "a.png", PICTURE[:1, :1])
    (frame,) = read_all(folder(tmp_path))
    np.testing.assert_array_equal(frame.pixels, PICTURE[:1, :1])


def test_a_turned_picture_is_set_upright(tmp_path):
    turned = [PICTURE, PICTURE[:, ::-1], PICTURE[::-1, ::-1], PICTURE[::-1]]
    turned += [np.swapaxes(pixels, 0, 1) for pixels in turned]
    for orientation, pixels in enumerate(turned, start=1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels[..., ::-1]).save(tmp_path / f"{orientation}.png", exif=exif)
    for frame in read_all(folder(tmp_path)):
        np.testing.assert_array_equal(frame.pixels, PICTURE, err_msg=f"orientation {frame.frame_id + 1}")


def test_pictures_come_in_order_of_time_and_are_numbered(tmp_path):
    for day in (3, 1, 2):
        write(tmp_path / f"b{9 - day}_2026-05-0{day}_12-00.png")
    source = folder(tmp_path)
    frames = read_all(source)
    assert source.total == 3
    assert [frame.captured_at for frame in frames] == [local(2026, 5, day, 12) for day in (1, 2, 3)]
    assert [frame.frame_id for frame in frames] == [0, 1, 2]
    assert {frame.camera_id for frame in frames} == {"bench"}


def test_equal_times_are_ordered_by_name(tmp_path):
    for letter in "cab":
        os.utime(write(tmp_path / f"{letter}.png", np.full((2, 2, 3), ord(letter), np.uint8)), (1e9, 1e9))
    assert [chr(frame.pixels[0, 0, 0]) for frame in read_all(folder(tmp_path))] == ["a", "b", "c"]


def test_a_time_is_sought_in_name_exif_day_and_file_in_this_order(tmp_path):
    with_exif(tmp_path / "2026-05-01_12-00.jpg", "2001:01:01 00:00:00")
    with_exif(tmp_path / "2026-05-02.jpg", "2026:05:02 09:30:00")
    with_exif(tmp_path / "zoned.jpg", "2026:05:03 09:30:00", "+05:30")
    write(tmp_path / "2026-05-04.jpg")
    with_exif(tmp_path / "nonsense.jpg", "0000:00:00 00:00:00")
    modified_at = datetime(2026, 5, 5, 8, tzinfo=timezone.utc)
    os.utime(tmp_path / "nonsense.jpg", (modified_at.timestamp(), modified_at.timestamp()))
    assert [frame.captured_at for frame in read_all(folder(tmp_path))] == [
        local(2026, 5, 1, 12),
        local(2026, 5, 2, 9, 30),
        datetime(2026, 5, 3, 4, tzinfo=timezone.utc),
        local(2026, 5, 4),
        modified_at,
    ]


def test_other_files_and_subfolders_are_left_out(tmp_path):
    write(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("water twice")
    (tmp_path / "masks.png").mkdir()
    assert len(read_all(folder(tmp_path))) == 1


@pytest.mark.parametrize("kind", ["missing", "a file", "empty"])
def test_a_folder_that_cannot_be_used_says_what_to_do(tmp_path, kind):
    path = tmp_path / "pictures"
    if kind == "a file":
        path.write_bytes(b"x")
    if kind == "empty":
        path.mkdir()
    with pytest.raises(CaptureError, match=r"pictures of camera bench.*(set source\.path|put files)"):
        folder(path).open()


def test_a_folder_without_permission_says_what_to_do(tmp_path, monkeypatch):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CaptureError, match=r"Permission denied; set source\.path"):
        folder(tmp_path).open()


def test_a_folder_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(edge.sources.folder, "MAX_ENTRIES", 2)
    for number in range(3):
        write(tmp_path / f"{number}.png")
    with pytest.raises(CaptureError, match="over 2 files"):
        folder(tmp_path).open()


@pytest.mark.skipif(not DATA.is_dir(), reason="no real pictures at ../shared/data")
def test_a_real_time_lapse_is_read_in_order():
    frames = read_all(folder(DATA / "arabidopsis-timelapse"))
    times = [frame.captured_at for frame in frames]
    assert len(frames) == 12
    assert times == sorted(times)
    assert times[1] - times[0] == timedelta(days=1)


def settled(path, pixels):
    cv2.imwrite(str(path), pixels)
    os.utime(path, (time.time() - 60, time.time() - 60))
    return path


def inbox(folder):
    return open_source(CameraSettings(name="bench", source={"kind": "folder", "path": folder, "follow": True}))


def test_an_inbox_takes_each_new_picture_once_and_leaves_the_old_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.sources.folder.LOOK_EVERY_S", 0.0)
    settled(tmp_path / "old.png", PICTURE)
    source = inbox(tmp_path)
    with source:
        assert not source.is_ready()
        settled(tmp_path / "b 2026-05-01 08:10:00.png", PICTURE)
        settled(tmp_path / "a 2026-05-01 08:00:00.png", WIDE)
        assert source.is_ready()
        assert [source.read().pixels.shape[1], source.read().pixels.shape[1]] == [80, 64]
        assert not source.is_ready()
        assert not source.finite
        assert source.lossless


def test_an_inbox_waits_for_a_picture_that_is_still_being_written(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.sources.folder.LOOK_EVERY_S", 0.0)
    with inbox(tmp_path) as source:
        cv2.imwrite(str(tmp_path / "new.png"), PICTURE)
        assert not source.is_ready()
        settled(tmp_path / "new.png", PICTURE)
        assert source.is_ready()


def test_an_inbox_that_was_away_is_read_on_with_what_came_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.sources.folder.LOOK_EVERY_S", 0.0)
    share = tmp_path / "share"
    share.mkdir()
    settled(share / "old.png", PICTURE)
    source = inbox(share)
    with source:
        share.rename(tmp_path / "unmounted")
        with pytest.raises(CameraLost, match="mounted"):
            source.is_ready()
    (tmp_path / "unmounted").rename(share)
    settled(share / "new.png", WIDE)
    again = inbox(share)
    again.follow(source)
    with again:
        assert again.is_ready()
        assert again.read().pixels.shape[1] == 80
        assert not again.is_ready()


def test_who_looks_into_a_folder_that_pictures_arrive_in_sees_the_newest(tmp_path):
    for number, name in enumerate(("2024-06-01_0800.png", "2024-06-01_1000.png", "2024-06-01_0900.png")):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / name)
    source = {"kind": "folder", "path": tmp_path, "follow": True}
    with open_look(CameraSettings(name="bench", source=source)) as look:
        assert [look.read().captured_at.hour for _ in range(3)] == sorted(
            (frame.captured_at.hour for frame in read_all(folder(tmp_path))), reverse=True
        )
