"""A video file: times and pixels."""

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import CaptureError
from edge.settings import CameraSettings
from edge.sources import FrameSource, open_source, stream  # noqa: F401 - before OpenCV opens its first video
from tests.sim.camera import read_all

COUNT = 12
RATE_HZ = 10.0
START = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)


@pytest.fixture
def clip(tmp_path) -> Path:
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE_HZ, (64, 48))
    for number in range(COUNT):
        writer.write(np.full((48, 64, 3), number * 20, np.uint8))
    writer.release()
    return path


def video(path: Path, **source: object) -> FrameSource:
    return open_source(CameraSettings(name="bench", source={"kind": "video", "path": path, **source}))


def test_every_picture_is_read_with_its_time_by_the_frame_rate(clip):
    source = video(clip, started_at=START)
    frames = read_all(source)
    assert source.total == COUNT
    assert [frame.captured_at for frame in frames] == [START + timedelta(seconds=n / RATE_HZ) for n in range(COUNT)]
    assert [frame.frame_id for frame in frames] == list(range(COUNT))
    for frame in frames:
        np.testing.assert_allclose(frame.pixels, frame.frame_id * 20, atol=12)


def test_the_interval_of_the_settings_goes_before_the_frame_rate(clip):
    frames = read_all(video(clip, started_at=START, interval_s=3600))
    assert frames[-1].captured_at == START + timedelta(hours=COUNT - 1)


def test_a_start_without_offset_is_local_time(clip):
    frames = read_all(video(clip, started_at=START.astimezone().replace(tzinfo=None)))
    assert frames[0].captured_at == START


def test_without_a_start_the_time_of_the_file_counts(clip):
    os.utime(clip, (START.timestamp(), START.timestamp()))
    assert read_all(video(clip))[0].captured_at == START


def test_a_cut_off_video_gives_what_it_holds_and_says_so(tmp_path, caplog):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE_HZ, (64, 48))
    for _ in range(COUNT):
        writer.write(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = read_all(video(path))
    assert 0 < len(frames) < COUNT
    assert f"ended after {len(frames)} pictures" in caplog.text


def test_a_missing_or_damaged_video_says_what_to_do(tmp_path, capfd):
    with pytest.raises(CaptureError, match=r"none\.mp4 of camera bench is no file; set source\.path"):
        video(tmp_path / "none.mp4").open()
    damaged = tmp_path / "noise.mp4"
    damaged.write_bytes(np.random.default_rng(2).bytes(50_000))
    with pytest.raises(CaptureError, match=r"noise\.mp4 of camera bench is damaged .* ffprobe"):
        video(damaged).open()
    assert capfd.readouterr().err == ""
