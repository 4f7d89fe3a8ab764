"""GStreamer: pipelines as text, and real ones where this Python reaches GStreamer."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.errors import CaptureError, FrameUnreadable
from edge.settings import CameraSettings, CsiSource, GstreamerSource
from edge.sources import open_source, taps
from edge.sources.pipelines import csi_pipeline, rtsp_pipeline
from edge.sources.rtsp import open_rtsp

ROOT = Path(__file__).parents[2]
SINK = "appsink name=canopy_appsink max-buffers=1 drop=true sync=false"
HERE = pytest.mark.skipif(not taps.has_gstreamer(), reason="apt install python3-gi gstreamer1.0-plugins-good …")


def source_of(pipeline: str, **settings):
    source = {"kind": "gstreamer", "pipeline": pipeline}
    return open_source(CameraSettings(name="top", source=source, read_timeout_s=5, **settings))


def test_a_csi_camera_goes_through_the_image_processor_and_its_converter():
    assert csi_pipeline(CsiSource(sensor=1, rotate_deg=180)) == (
        "nvarguscamerasrc sensor-id=1 wbmode=1 ! video/x-raw(memory:NVMM),width=1920,height=1080,framerate=30/1 ! "
        f"nvvidconv flip-method=2 ! video/x-raw,format=BGRx ! {SINK}"
    )


def test_a_csi_camera_is_locked_in_exposure_gain_and_white_balance():
    pipeline = csi_pipeline(CsiSource(exposure_ms=8, gain=2.5, white_balance="daylight"))
    assert 'exposuretimerange="8000000 8000000"' in pipeline
    assert 'gainrange="2.5 2.5" ispdigitalgainrange="1 1" aelock=true' in pipeline
    assert "wbmode=5" in pipeline


def test_a_network_camera_is_decoded_by_hardware_where_there_is_some():
    assert "nvvidconv" in rtsp_pipeline("rtsp://10.0.0.7/s", hardware=True)
    assert "videoconvert" in rtsp_pipeline("rtsp://10.0.0.7/s", hardware=False)
    assert 'location="rtsp://a:b\\"! filesink location=/x@h/"' in rtsp_pipeline(
        'rtsp://a:b"! filesink location=/x@h/', hardware=False
    )


@pytest.mark.parametrize(
    "pipeline", ["videotestsrc ! appsink", "videotestsrc ! appsink name=canopy_appsink ! fakesink", "appsink", ""]
)
def test_a_pipeline_that_gives_its_pictures_to_nobody_is_refused(pipeline):
    with pytest.raises(ValueError, match="must end in"):
        GstreamerSource(pipeline=pipeline)


def test_a_pipeline_is_never_written_out():
    secret = GstreamerSource(pipeline=f"rtspsrc location=rtsp://u:s3cret@h/ ! decodebin ! {SINK}")
    assert "s3cret" not in secret.model_dump_json()


def test_without_gstreamer_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(taps, "_pygobject", lambda: None)
    monkeypatch.setattr("cv2.videoio_registry.hasBackend", lambda _: False)
    with pytest.raises(CaptureError, match="apt install python3-gi"):
        source_of(f"videotestsrc ! {SINK}").open()


def test_opencvs_ffmpeg_is_taken_where_no_hardware_decodes(tmp_path, monkeypatch):
    settings = CameraSettings(name="top", source={"kind": "rtsp", "url": "rtsp://h/s"})
    assert not taps.has_hardware_decoder(tmp_path)
    assert type(open_rtsp("top", settings.source, 5)).__name__ == "Rtsp"
    monkeypatch.setattr(taps, "has_gstreamer", lambda: True)
    monkeypatch.setattr(taps, "has_hardware_decoder", lambda: True)
    assert type(open_rtsp("top", settings.source, 5)).__name__ == "Gstreamer"
    assert type(open_rtsp("top", settings.source, 5, variant=1)).__name__ == "Rtsp"


def test_a_jetsons_decoder_is_found_by_its_plugin(tmp_path, monkeypatch):
    monkeypatch.setattr(taps, "has_gstreamer", lambda: True)
    plugin = tmp_path / "aarch64-linux-gnu/gstreamer-1.0/libgstnvvideo4linux2.so"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    assert taps.has_hardware_decoder(tmp_path)


def test_a_network_camera_by_ffmpeg_does_not_load_pygobject():
    code = (
        "import sys; from edge.settings import CameraSettings; from edge.sources import open_source\n"
        "open_source(CameraSettings(name='a', source={'kind': 'rtsp', 'url': 'rtsp://h/s'}))\n"
        "assert 'gi' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@HERE
@pytest.mark.parametrize("form", ["BGR", "BGRx"])
def test_pictures_of_a_real_pipeline_are_bgr_without_their_rows_padding(form):
    caps = f"video/x-raw,format={form},width=641,height=479,framerate=20/1"
    source = source_of(f"videotestsrc is-live=true pattern=red ! videoconvert ! {caps} ! {SINK}")
    with source:
        for number in range(3):
            frame = source.read()
            assert frame.frame_id == number
            assert frame.pixels.shape == (479, 641, 3)
            assert frame.pixels.flags.c_contiguous
            assert np.array_equal(np.unique(frame.pixels.reshape(-1, 3), axis=0), [[0, 0, 255]])


@HERE
def test_a_pipeline_in_another_format_says_how_to_end_it():
    source = source_of(f"videotestsrc ! video/x-raw,format=I420 ! {SINK}")
    with source, pytest.raises(FrameUnreadable, match="format=BGR before the appsink"):
        source.read()


def read_three(source):
    with source:
        for _ in range(3):
            source.read()


@HERE
@pytest.mark.parametrize(
    ("pipeline", "told"),
    [
        (f"nosuchelement ! {SINK}", "no element"),
        (f"v4l2src device=/dev/video97 ! videoconvert ! {SINK}", "Cannot identify device"),
        (f"videotestsrc num-buffers=2 ! videoconvert ! video/x-raw,format=BGR ! {SINK}", "the stream has ended"),
        (f"filesrc location=/no/such/file ! decodebin ! videoconvert ! {SINK}", "Resource not found"),
    ],
)
def test_a_pipeline_that_fails_says_why(pipeline, told):
    with pytest.raises(CaptureError, match=told):
        read_three(source_of(pipeline))


@HERE
def test_a_real_pipeline_may_be_opened_again_and_goes_on_counting():
    pipeline = f"videotestsrc is-live=true ! videoconvert ! video/x-raw,format=BGR ! {SINK}"
    former = source_of(pipeline)
    with former:
        former.read()
    source = source_of(pipeline)
    source.follow(former)
    with source:
        assert source.read().frame_id == 1


SYSTEM_PYTHON = "/usr/bin/python3"
OPENCV_ROUTE = """
import sys
sys.path.append(sys.argv[1])
import cv2
from edge.sources.taps import OpenCvTap, taps
if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
    sys.exit(77)
assert OpenCvTap in taps()
caps = f"video/x-raw,format={sys.argv[2]},width=641,height=479,framerate=20/1"
sink = "appsink name=canopy_appsink max-buffers=1 drop=true sync=false"
tap = OpenCvTap(f"videotestsrc is-live=true pattern=red ! videoconvert ! {caps} ! {sink}", 5.0)
for _ in range(3):
    tap.next()
    pixels = tap.pixels()
    assert pixels.shape == (479, 641, 3) and pixels.flags.c_contiguous and pixels[:, :, 2].min() == 255
tap.close()
try:
    OpenCvTap("rtspsrc location=rtsp://u:s3cret@h/ ! nosuchelement ! " + sink, 5.0)
    sys.exit(1)
except EOFError:
    pass
"""


@pytest.mark.parametrize("form", ["BGR", "BGRx"])
def test_the_distributions_opencv_gives_the_same_pictures_and_keeps_the_password(form):
    """In the system's Python, whose OpenCV has GStreamer; with this environment's other packages behind it."""
    packages = str(Path(np.__file__).parents[1])
    if not Path(SYSTEM_PYTHON).exists():
        pytest.skip("there is no Python of the distribution")
    command = [SYSTEM_PYTHON, "-c", OPENCV_ROUTE, packages, form]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 77 or "ModuleNotFoundError" in done.stderr or "ImportError" in done.stderr:
        pytest.skip("apt install python3-opencv")
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
