"""V4L2: controls locked and verified, formats, fixed names. There is no camera here, so the kernel is a fake."""

import errno
import os
import struct
from pathlib import Path

import cv2
import pytest

from edge.settings import CameraSettings, ControlSettings, V4l2Source
from edge.sources import controls as ctl
from edge.sources import open_source
from edge.sources.controls import lock, wishes
from edge.sources.v4l2 import V4l2, fixed_name_of
from tests.sim.v4l2 import FakeCamera, FakeCapture, FakeControl


def usual() -> list[FakeControl]:
    """What a common USB camera has."""
    return [
        FakeControl(ctl.AUTO_WHITE_BALANCE, "White Balance, Automatic", 0, 1, value=1),
        FakeControl(ctl.GAIN, "Gain", 0, 255, value=64),
        FakeControl(ctl.POWER_LINE_FREQUENCY, "Power Line Frequency", 0, 2, value=2),
        FakeControl(ctl.WHITE_BALANCE_TEMPERATURE, "White Balance Temperature", 2000, 7500, step=10, value=4000),
        FakeControl(ctl.USER + 28, "Backlight Compensation", 0, 1, value=1),
        FakeControl(ctl.EXPOSURE_AUTO, "Auto Exposure", 0, 3, value=3),
        FakeControl(ctl.EXPOSURE_ABSOLUTE, "Exposure Time, Absolute", 3, 2047, value=250),
        FakeControl(ctl.FOCUS_ABSOLUTE, "Focus, Absolute", 0, 250, step=5, value=0),
        FakeControl(ctl.FOCUS_AUTO, "Focus, Automatic Continuous", 0, 1, value=1),
    ]


LOCKED = ControlSettings(
    exposure_ms=15.6,
    gain=10,
    white_balance_k=4600,
    focus=30,
    power_line_hz=50,
    other={"backlight_compensation": 0},
)


def test_the_requests_are_those_of_the_kernels_header():
    """As ``gcc`` prints them from linux/videodev2.h: VIDIOC_QUERYCTRL, VIDIOC_G_CTRL, VIDIOC_S_CTRL."""
    assert (ctl.QUERY, ctl.GET, ctl.SET) == (0xC0445624, 0xC008561B, 0xC008561C)
    assert struct.calcsize("=II32siiiiI8x") == 68


def test_all_that_is_locked_is_set_with_the_automatics_off_first():
    camera = FakeCamera(usual())
    assert lock(0, wishes(LOCKED), camera.ioctl) == []
    assert {control.name: control.value for control in camera.controls} == {
        "White Balance, Automatic": 0,
        "Gain": 10,
        "Power Line Frequency": 1,
        "White Balance Temperature": 4600,
        "Backlight Compensation": 0,
        "Auto Exposure": 1,
        "Exposure Time, Absolute": 156,
        "Focus, Absolute": 30,
        "Focus, Automatic Continuous": 0,
    }
    order = [wish.control for wish in wishes(LOCKED)]
    assert order.index(ctl.EXPOSURE_AUTO) < order.index(ctl.EXPOSURE_ABSOLUTE)


def test_what_is_not_mentioned_is_left_alone():
    camera = FakeCamera(usual())
    assert lock(0, wishes(ControlSettings()), camera.ioctl) == []
    assert camera.sets == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"exposure_ms": 5000}, "exposure_ms: Exposure Time, Absolute can be 0.3 to 204.7 in steps of 0.1, not 5000"),
        ({"white_balance_k": 4605}, "Temperature can be 2000 to 7500 in steps of 10, not 4605"),
        ({"gain": 256}, "gain: Gain can be 0 to 255 in steps of 1, not 256"),
        ({"other": {"sharpness": 3}}, "other.sharpness: this camera has no such control"),
    ],
)
def test_what_the_camera_cannot_do_is_told_with_what_it_allows(settings, told):
    camera = FakeCamera(usual())
    troubles = lock(0, wishes(ControlSettings(**settings)), camera.ioctl)
    assert len(troubles) == 1
    assert told in troubles[0]


def test_a_camera_without_autofocus_is_no_trouble_and_one_without_focus_is():
    fixed = [control for control in usual() if control.number != ctl.FOCUS_AUTO]
    assert lock(0, wishes(ControlSettings(focus=30)), FakeCamera(fixed).ioctl) == []
    none = [control for control in fixed if control.number != ctl.FOCUS_ABSOLUTE]
    assert "no such control" in lock(0, wishes(ControlSettings(focus=30)), FakeCamera(none).ioctl)[0]


def test_a_value_that_the_camera_takes_and_does_not_keep_is_told():
    camera = FakeCamera([FakeControl(ctl.GAIN, "Gain", 0, 255, value=64, sticks=True)])
    assert lock(0, wishes(ControlSettings(gain=10)), camera.ioctl) == ["gain: Gain stays at 64, 10 was set"]


def test_a_refusal_of_the_driver_is_told_with_its_reason():
    camera = FakeCamera([FakeControl(ctl.GAIN, "Gain", 0, 255, refuses=errno.EBUSY)])
    assert "Device or resource busy" in lock(0, wishes(ControlSettings(gain=10)), camera.ioctl)[0]


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """A machine with a camera at video0, and its fixed name."""
    camera = FakeCamera(usual())
    node = tmp_path / "video0"
    node.touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-Acme_Cam_SN42-video-index0").symlink_to(node)
    camera.nodes = {str(node)}
    monkeypatch.setattr(FakeCapture, "camera", camera, raising=False)
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    monkeypatch.setattr("edge.sources.v4l2.lock", lambda descriptor, wanted: lock(descriptor, wanted, camera.ioctl))
    return camera, tmp_path


def opened(folder: Path, **settings) -> V4l2:
    source = V4l2("top", V4l2Source(device=str(folder / "video0"), **settings), fixed_names=(folder / "by-id",))
    source.open()
    return source


def test_controls_that_the_camera_forgets_when_it_begins_to_send_are_set_again(plugged):
    camera, folder = plugged
    camera.forgets = True
    source = opened(folder, controls=LOCKED)
    source.read()
    assert camera.value("Exposure Time, Absolute") == 156
    sets = camera.sets
    source.read()
    assert camera.sets == sets, "once is enough"


def test_a_camera_that_comes_back_under_another_number_is_known_by_its_fixed_name(plugged):
    camera, folder = plugged
    former = opened(folder)
    former.close()
    (folder / "video0").rename(folder / "video2")
    link = folder / "by-id/usb-Acme_Cam_SN42-video-index0"
    link.unlink()
    link.symlink_to(folder / "video2")
    (folder / "video0").touch()  # another camera has its number now
    camera.nodes = {str(folder / "video2")}
    source = V4l2("top", V4l2Source(device=str(folder / "video0")), fixed_names=(folder / "by-id",))
    source.follow(former)
    source.open()
    assert camera.opened[-1] == str(folder / "video2")


def test_a_device_without_a_fixed_name_is_opened_as_configured(tmp_path):
    (tmp_path / "video0").touch()
    assert fixed_name_of(tmp_path / "video0", (tmp_path / "none",)) is None


def test_what_a_camera_does_not_do_as_configured_is_its_complaint(plugged):
    _, folder = plugged
    source = opened(folder, width_px=1920, height_px=1080, controls={"gain": 999})
    assert "gain: Gain can be 0 to 255" in source.complaint
    assert "it gives 640 x 480 px, not 1920 x 1080" in source.complaint


def test_the_format_is_asked_for_before_the_size_and_rebuilding_asks_for_the_other(plugged):
    camera, folder = plugged
    settings = V4l2Source(device=str(folder / "video0"), pixel_format="MJPG", fps=15, width_px=640)
    for variant, expected in ((0, b"MJPG"), (1, b"YUYV")):
        camera.asked.clear()
        V4l2("top", settings, variant=variant, fixed_names=()).open()
        assert int(camera.asked[cv2.CAP_PROP_FOURCC]).to_bytes(4, "little") == expected
        assert next(iter(camera.asked)) == cv2.CAP_PROP_FOURCC
        assert camera.asked[cv2.CAP_PROP_BUFFERSIZE] == 1


def test_a_number_is_advised_against_where_there_is_a_fixed_name(plugged, monkeypatch):
    _, folder = plugged
    source = V4l2("top", V4l2Source(device=0), fixed_names=(folder / "by-id",))
    source._fixed_name = folder / "by-id/usb-Acme_Cam_SN42-video-index0"
    source.open()
    assert "set source.device to" in source.complaint


def test_the_real_kernel_refuses_what_is_no_camera():
    descriptor = os.open("/dev/null", os.O_RDWR)
    try:
        assert "no such control" in lock(descriptor, wishes(ControlSettings(gain=1)))[0]
    finally:
        os.close(descriptor)


def test_the_settings_reach_the_source():
    camera = CameraSettings(name="top", source={"kind": "v4l2", "device": "/dev/video9", "controls": {"gain": 1}})
    assert isinstance(open_source(camera), V4l2)
