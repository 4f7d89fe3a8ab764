"""Network cameras with real H.264 and H.265: joined in the midst, cut, stuck, frozen, filled with garbage, resized."""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import pytest

from edge.capture import Camera
from edge.contract.records import EventKind
from edge.errors import CameraLost, CaptureError
from edge.frame import Frame
from edge.mailbox import Mailbox
from edge.settings import CameraSettings
from edge.sources import FrameSource, open_source
from edge.sources.taps import has_gstreamer
from tests.sim.encoded import Codec, Stream, garbage, video_stream
from tests.sim.rtsp import RtspCamera

SOON_S = 40.0
SECRET = "s3cret"

DECODERS = [
    "ffmpeg",
    pytest.param("gstreamer", marks=pytest.mark.skipif(not has_gstreamer(), reason="apt install python3-gi …")),
]


def source_of(camera: RtspCamera, decoder: str, timeout_s: float = 15.0) -> FrameSource:
    source = {"kind": "rtsp", "url": camera.url, "decoder": decoder}
    return open_source(CameraSettings(name="bench", source=source, read_timeout_s=timeout_s))


@lru_cache(maxsize=2)
def whole_pictures(codec: Codec) -> list[np.ndarray]:
    """What a client sees that joins in time."""
    stream = video_stream(codec)
    with RtspCamera(stream=stream) as camera, source_of(camera, "ffmpeg") as source:
        return [source.read().pixels for _ in range(len(stream.pictures))]


def joined_in_a_key_frame(stream: Stream) -> Stream:
    first = stream.pictures[0]
    return stream._replace(pictures=(first[len(first) // 2 :], *stream.pictures[1:]))


def read_on(source: FrameSource, pictures: int) -> None:
    for _ in range(pictures):
        source.read()


class Watched:
    """A network camera and the one that reads it."""

    def __init__(self, stream: Stream | None, decoder: str = "ffmpeg", **settings: object) -> None:
        self.server = RtspCamera(stream=stream)
        self.server.start()
        self.mailbox = Mailbox()
        self.events: list[tuple[EventKind, str]] = []
        self.camera = Camera(
            CameraSettings(
                name="bench",
                source={
                    "kind": "rtsp",
                    "url": f"rtsp://grower:{SECRET}@127.0.0.1:{self.server.port}/a?token={SECRET}",
                    "decoder": decoder,
                },
                reconnect_max_s=0.3,
                **settings,
            ),
            self.mailbox,
            lambda kind, camera, message, detail: self.events.append((kind, message)),
        )
        self.camera.start()

    def frame(self) -> Frame:
        deadline_s = time.monotonic() + SOON_S
        while time.monotonic() < deadline_s:
            picture = self.mailbox.take(0.2)
            if isinstance(picture, Frame):
                return picture
        raise AssertionError(f"no frame; {self.events}")

    def wait_for(self, kind: EventKind) -> str:
        deadline_s = time.monotonic() + SOON_S
        while time.monotonic() < deadline_s:
            for found, message in self.events:
                if found is kind:
                    return message
            self.mailbox.take(0.05)
        raise AssertionError(f"no {kind}; {self.events}")

    def close(self) -> None:
        self.camera.stop()
        self.server.stop()


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def begin(*arguments, **settings) -> Watched:
        started.append(Watched(*arguments, **settings))
        return started[-1]

    yield begin
    for watched in started:
        watched.close()


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("codec", ["h264", pytest.param("h265", marks=pytest.mark.slow)])
def test_no_smeared_picture_is_given_after_a_join_in_the_midst_of_a_key_frame(codec, decoder):
    stream = joined_in_a_key_frame(video_stream(codec))
    with RtspCamera(stream=stream) as camera, source_of(camera, decoder) as source:
        given = [source.read().pixels for _ in range(3)]
    for picture in given:
        differences = [np.abs(picture.astype(np.int16) - each).mean() for each in whole_pictures(codec)]
        assert min(differences) < 3, "it is none of the pictures that were sent"


def test_a_camera_that_sends_no_second_key_frame_is_told_to_send_them_more_often():
    with RtspCamera(stream=video_stream("h264", frames=300, key_every=600)) as camera:
        source = source_of(camera, "ffmpeg", timeout_s=2.5)
        with source, pytest.raises(CameraLost, match="GOP"):
            source.read()


def test_time_stamps_that_stand_still_are_a_loss():
    with RtspCamera(stream=video_stream("h264")) as camera, source_of(camera, "ffmpeg", timeout_s=2.0) as source:
        source.read()
        camera.stuck.set()
        with pytest.raises(CaptureError):
            read_on(source, 500)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_camera_that_repeats_one_picture_with_new_time_stamps_is_opened_again(watch, decoder):
    watched = watch(None, decoder, recovery={"frozen_s": 1.0})
    assert "repeated one picture" in watched.wait_for(EventKind.CAMERA_LOST)
    watched.wait_for(EventKind.CAMERA_BACK)


@pytest.mark.skipif(not has_gstreamer(), reason="apt install python3-gi …")
def test_a_camera_that_changes_its_size_is_opened_again_and_measured_in_the_new_size(watch):
    watched = watch(video_stream("h264"), "gstreamer")
    assert watched.frame().pixels.shape == (240, 320, 3)
    watched.server.stream = video_stream("h264", width_px=640, height_px=480)
    assert "320 x 240 px to 640 x 480 px" in watched.wait_for(EventKind.CAMERA_LOST)
    watched.wait_for(EventKind.CAMERA_BACK)
    assert watched.frame().pixels.shape == (480, 640, 3)


def test_ffmpeg_gives_the_size_that_it_was_opened_with_until_the_camera_cuts_the_stream(watch):
    watched = watch(video_stream("h264"))
    assert watched.frame().pixels.shape == (240, 320, 3)
    watched.server.stream = video_stream("h264", width_px=640, height_px=480)
    assert all(watched.frame().pixels.shape == (240, 320, 3) for _ in range(40))
    watched.server.stop()
    watched.server.start()
    watched.wait_for(EventKind.CAMERA_BACK)
    assert watched.frame().pixels.shape == (480, 640, 3)


@pytest.mark.parametrize("decoder", DECODERS)
def test_garbage_in_the_stream_is_an_outage_that_ends_with_it_and_shows_no_password(watch, decoder, capfd, caplog):
    stream = video_stream("h264")
    watched = watch(stream, decoder, read_timeout_s=3.0)
    before = watched.frame()
    watched.server.stream = garbage(stream)
    watched.wait_for(EventKind.CAMERA_LOST)
    watched.server.stream = stream
    watched.wait_for(EventKind.CAMERA_BACK)
    assert watched.frame().frame_id > before.frame_id
    assert SECRET not in f"{watched.events} {capfd.readouterr()} {caplog.text}"


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_camera_that_loses_its_power_comes_back(watch, decoder):
    watched = watch(video_stream("h265"), decoder, read_timeout_s=3.0)
    watched.frame()
    watched.server.stop()
    watched.wait_for(EventKind.CAMERA_LOST)
    watched.server.start()
    watched.wait_for(EventKind.CAMERA_BACK)
    watched.frame()
