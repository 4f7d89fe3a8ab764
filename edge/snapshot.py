"""Takes one picture for a technician: from the daemon, or, where none runs, from the camera itself."""

import base64
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.control.client import ask_once
from edge.control.protocol import AskSnapshot
from edge.disk import write_whole
from edge.errors import CameraLost, ConfigError, FrameUnreadable, NoDaemon
from edge.frame import Frame
from edge.lookout import Lookout
from edge.model import Model
from edge.observe import Observer
from edge.overlay import jpeg, overlay
from edge.settings import CameraSettings, DeviceSettings
from edge.sources import open_look

TRIES = 30
"""Broken pictures that may come before the first whole one: a stream is joined in its middle."""

ANSWER_S = 30.0
OWN_QUALITY = 95


def take(settings: DeviceSettings, camera: CameraSettings, target: Path, *, overlay: bool, wait_s: float) -> str:
    """Write the picture, and say what it is.

    Raises:
        ConfigError: it cannot be written.
        CaptureError: the camera gives none.
        ControlError: the daemon has none.
    """
    ask = AskSnapshot(camera=camera.name, overlay=overlay, wait_s=wait_s)
    try:
        body = ask_once(settings.state_dir, ask, within_s=wait_s + ANSWER_S)
    except NoDaemon:
        picture, told = _own(settings, camera, drawn=overlay)
        content = jpeg(picture, OWN_QUALITY)
    else:
        content = base64.b64decode(body["jpeg"])
        told = f"from the daemon, taken at {body['at'][:19].replace('T', ' ')} UTC"
    if target.suffix.lower() == ".png":
        content = cv2.imencode(".png", cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))[1].tobytes()
    try:
        write_whole(target, content)
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error}; name another file with --output") from error
    return told


def first_frame(camera: CameraSettings) -> Frame:
    """One picture of a camera that this process opens itself.

    Raises:
        CaptureError: there is none.
    """
    with open_look(camera) as source:
        for _ in range(TRIES):
            with suppress(FrameUnreadable):
                return source.read()
    raise CameraLost(f"camera {camera.name} gives broken pictures only; see its cable and its settings")


def _own(settings: DeviceSettings, camera: CameraSettings, *, drawn: bool) -> tuple[NDArray[np.uint8], str]:
    frame = first_frame(camera)
    told = "from the camera itself, as no daemon runs"
    return (measured(settings, camera, frame) if drawn else frame.pixels), told


def measured(settings: DeviceSettings, camera: CameraSettings, frame: Frame) -> NDArray[np.uint8]:
    """A picture with what the configured model finds in it.

    Raises:
        ModelError: it cannot be used.
    """
    lookout, model = Lookout([camera.name]), Model(settings.inference)
    try:
        Observer(camera, model, live=False, viewer=lookout.viewed).observe(frame)
    finally:
        model.close()
    view = lookout.last_view(camera.name)
    if view is None:
        raise CameraLost(f"camera {camera.name}: the picture was not looked at; try again")
    return overlay(view)
