"""A real RTSP connection that breaks and comes back."""

import time

import pytest

from edge.capture import Camera
from edge.contract.records import EventKind
from edge.frame import Frame
from edge.mailbox import Mailbox
from edge.settings import CameraSettings
from tests.sim.rtsp import RtspCamera

SOON_S = 30.0
SECRET = "s3cret"


@pytest.mark.parametrize("fault", ["cut", "silent"])
def test_a_network_camera_that_goes_and_returns_is_read_again(fault, capfd, caplog):
    with RtspCamera() as server:
        url = f"rtsp://grower:{SECRET}@127.0.0.1:{server.port}/stream1?token={SECRET}"
        settings = CameraSettings(
            name="bench", source={"kind": "rtsp", "url": url}, read_timeout_s=1.5, reconnect_max_s=0.3
        )
        events: list[tuple[EventKind, str]] = []
        mailbox = Mailbox()
        camera = Camera(settings, mailbox, lambda kind, name, message, detail: events.append((kind, message)))
        camera.start()
        frame = mailbox.take(SOON_S)
        assert isinstance(frame, Frame)
        assert frame.pixels.shape == (240, 320, 3)

        server.stop() if fault == "cut" else server.silent.set()
        wait_for(events, 1, mailbox)
        time.sleep(0.5)
        server.start() if fault == "cut" else server.silent.clear()
        wait_for(events, 2, mailbox)
        assert mailbox.take(SOON_S).frame_id > frame.frame_id
        camera.stop()
    assert [kind for kind, _ in events] == [EventKind.CAMERA_LOST, EventKind.CAMERA_BACK]
    shown = f"{events} {capfd.readouterr()} {caplog.text}"
    assert SECRET not in shown
    assert f"127.0.0.1:{server.port}" in shown or fault == "silent"


def wait_for(events: list, count: int, mailbox: Mailbox) -> None:
    deadline_s = time.monotonic() + SOON_S
    while len(events) < count:
        assert time.monotonic() < deadline_s, f"only {events}"
        mailbox.take(0.05)
