"""``canopy aim``: live readings of a camera, in the terminal or on a page for the phone."""

import base64
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.live import Live
from rich.text import Text

from edge.aim import Aim
from edge.aim_page import Page, served
from edge.aim_view import aim_view
from edge.control.answers import aim_body
from edge.control.client import ask
from edge.control.protocol import AskAim
from edge.errors import EndOfSource, FrameUnreadable, NoDaemon
from edge.overlay import jpeg, with_plot_frames
from edge.settings import CameraSettings, DeviceSettings
from edge.sources import open_look

TERMINAL_WIDTH_PX = 160
PAGE_WIDTH_PX, PAGE_QUALITY = 960, 75
ANSWER_S = 30.0


@dataclass(frozen=True)
class Session:
    """One camera, for a limited time."""

    settings: DeviceSettings
    camera: CameraSettings
    max_fps: float
    lasts_s: float
    count: int | None = None

    def readings(self, width_px: int) -> Iterator["Reading"]:
        """Readings as they come: from the daemon, or from the camera itself where none runs.

        Raises:
            CaptureError: the camera gives no pictures.
            ControlError: the daemon cannot be asked.
        """
        until_s, best, number = time.monotonic() + self.lasts_s, 0.0, 0
        for body in self._bodies(width_px):
            reading = Reading.of(body, best)
            best, number = reading.best_focus, number + 1
            yield reading
            if time.monotonic() >= until_s or number == self.count:
                return

    def _bodies(self, width_px: int) -> Iterator[dict[str, Any]]:
        question = AskAim(camera=self.camera.name, max_fps=self.max_fps, width_px=width_px)
        try:
            yield from ask(self.settings.state_dir, question, within_s=ANSWER_S)
        except NoDaemon:
            yield from self._own(width_px)

    def _own(self, width_px: int) -> Iterator[dict[str, Any]]:
        next_s = 0.0
        with open_look(self.camera) as source:
            while True:
                if not source.finite and time.monotonic() < next_s:
                    source.skip()
                    continue
                time.sleep(max(0.0, next_s - time.monotonic()))
                next_s = time.monotonic() + 1 / self.max_fps
                try:
                    frame = source.read()
                except FrameUnreadable:
                    continue
                except EndOfSource:
                    return
                yield aim_body(frame.pixels, frame.captured_at.isoformat(), width_px)


@dataclass(frozen=True)
class Reading:
    """One picture's numbers, the picture made small, and the best focus until then."""

    at: str
    aim: Aim
    best_focus: float
    jpeg: bytes

    @classmethod
    def of(cls, body: dict[str, Any], best: float) -> "Reading":
        """What the daemon, or this process, has read."""
        found = Aim(**body["aim"])
        return cls(body["at"], found, max(best, found.focus), base64.b64decode(body["jpeg"]))

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The small picture, uint8 [h, w, 3], BGR."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def aim_now(session: Session, *, as_json: bool) -> None:
    """Show readings in the terminal until the session ends, or Ctrl-C."""
    try:
        if as_json or not sys.stdout.isatty():
            _print_lines(session, as_json=as_json)
        else:
            _keep_screen(session)
    except KeyboardInterrupt:
        return


def aim_over_http(session: Session, where: str) -> None:
    """Serve the page until the session ends, or Ctrl-C."""
    page = Page(session.camera.name)
    with served(page, where, session.lasts_s) as urls:
        console = Console(highlight=False)
        console.print("open one of these on the phone; the page ends by itself, or with Ctrl-C:")
        for url in urls:
            console.print(f"  {url}", soft_wrap=True)
        try:
            for reading in session.readings(PAGE_WIDTH_PX):
                framed = with_plot_frames(reading.picture, session.camera.plots)
                page.show(jpeg(framed, PAGE_QUALITY), reading.aim, reading.best_focus)
        except KeyboardInterrupt:
            return


def _print_lines(session: Session, *, as_json: bool) -> None:
    for reading in session.readings(TERMINAL_WIDTH_PX):
        found = reading.aim
        document = {"at": reading.at, "best_focus": reading.best_focus, **vars_of(found)}
        line = f"focus {found.focus:.1f} of {reading.best_focus:.1f}, median {found.median:.0f}"
        print(json.dumps(document) if as_json else line, flush=True)  # noqa: T201 - lines for programs


def vars_of(found: Aim) -> dict[str, Any]:
    """A reading as JSON takes it."""
    return {name: getattr(found, name) for name in Aim.__dataclass_fields__}


def _keep_screen(session: Session) -> None:
    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        live.update(Text("waiting for the first picture; Ctrl-C ends", "dim"), refresh=True)
        for reading in session.readings(TERMINAL_WIDTH_PX):
            framed = with_plot_frames(reading.picture, session.camera.plots)
            view = aim_view(session.camera.name, reading.aim, reading.best_focus, framed, console.size)
            live.update(view, refresh=True)
