"""What is said over the control socket: requests, and the lines of an answer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from edge.contract.message import Name

VERSION: Final = 1
SOCKET = "control"
MAX_REQUEST_BYTES = 16_384
MAX_LINE_BYTES = 6_000_000
MAX_PICTURE_BYTES = 4_000_000
"""In base64 it fits a line."""


class _Ask(BaseModel):
    """What every request has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = VERSION


class AskStatus(_Ask):
    """How the daemon does: one line, an ``edge.status.Status``."""

    ask: Literal["status"] = "status"


class AskSnapshot(_Ask):
    """One picture of a camera as JPEG: the raw one that it gives now, or with ``overlay`` one that was measured.

    With ``wait_s`` an overlay waits for the next measured picture, and falls back to the last one.
    """

    ask: Literal["snapshot"] = "snapshot"
    camera: Name
    overlay: bool = False
    wait_s: Annotated[float, Field(ge=0, le=3600)] = 0.0


class AskWatch(_Ask):
    """Observations as they come, a line for each picture's."""

    ask: Literal["watch"] = "watch"
    camera: Name | None = None
    plot: Name | None = None


class AskLogs(_Ask):
    """The last log lines of at least ``level`` (``logging``'s numbers); with ``follow`` those that come, too."""

    ask: Literal["logs"] = "logs"
    lines: Annotated[int, Field(ge=0, le=2_000)] = 200
    level: Annotated[int, Field(ge=0, le=50)] = 0
    follow: bool = False


class AskAim(_Ask):
    """Raw pictures, made smaller, with what helps to aim the camera: a line for each until the client goes."""

    ask: Literal["aim"] = "aim"
    camera: Name
    max_fps: Annotated[float, Field(gt=0, le=10)] = 4.0
    width_px: Annotated[int, Field(ge=32, le=1280)] = 640


class AskSettings(_Ask):
    """The settings that run, without secrets, and what the fleet wants of them."""

    ask: Literal["settings"] = "settings"


class AskReload(_Ask):
    """Read the configuration file again and go over to it: cameras and model start anew, nothing stored is lost."""

    ask: Literal["reload"] = "reload"


Ask = AskStatus | AskSnapshot | AskWatch | AskLogs | AskAim | AskSettings | AskReload
ASK: TypeAdapter[Ask] = TypeAdapter(Annotated[Ask, Field(discriminator="ask")])


class Line(BaseModel):
    """A line of an answer. Without ``ok`` it is the last, and ``reason`` says what is wrong and what to do."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = VERSION
    ok: bool = True
    last: bool = False
    reason: str = ""
    body: dict[str, Any] = Field(default_factory=dict)


@contextmanager
def short_path(state_dir: Path) -> Iterator[str]:
    """The folder of the socket under a name that a socket's address (108 bytes) has room for.

    Raises:
        OSError: there is no such folder.
    """
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}"
    finally:
        os.close(folder)
