"""Cameras behind OpenCV: what their messages may show, and what they say when there is none."""

import pytest

from edge.address import public_address
from edge.errors import CameraLost
from edge.settings import CameraSettings
from edge.sources import open_source


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.7:554/stream1", "rtsp://10.0.0.7:554"),
        ("rtsps://camera.example/stream1", "rtsps://camera.example"),
        ("rtsp://root:s3cret@10.0.0.7/stream1", "rtsp://10.0.0.7"),
        ("rtsp://root:s3cr:et@10.0.0.7/stream1", "rtsp://10.0.0.7"),
        ("rtsp://root:s3c@ret@10.0.0.7/stream1", "rtsp://10.0.0.7"),
        ("rtsp://10.0.0.7/user=root&password=s3cret", "rtsp://10.0.0.7"),
        ("rtsp://10.0.0.7/live?password=s3@cret", "rtsp://"),
        ("rtsp://root:77/s3cret@10.0.0.7/live", "rtsp://"),
        ("rtsp://[s3cret", "rtsp://"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert public_address(url) == shown


@pytest.mark.parametrize("device", [97, "/dev/v4l/by-id/usb-none-video-index0"])
def test_a_v4l2_camera_that_is_not_there_says_what_to_do(device, capfd):
    source = open_source(CameraSettings(name="bench", source={"kind": "v4l2", "device": device}))
    with pytest.raises(CameraLost, match=r"does not open; see that it is plugged in"):
        source.open()
    assert capfd.readouterr().err == ""


def test_reading_before_opening_is_an_error_of_ours():
    source = open_source(CameraSettings(name="bench", source={"kind": "v4l2", "device": 97}))
    with pytest.raises(CameraLost, match="is not open"):
        source.read()
