"""What the fleet asks a device to do once, and what the device answers.

A command is not retained, carries its expiry and is idempotent: a device that hears an ``id`` again answers as before
and does nothing twice. What must outlive a lost message is wanted by ``Desired``, not commanded.
"""

from enum import Enum
from typing import Annotated

from pydantic import Field

from edge.contract.message import Count, Instant, Label, Message, Name, Text, open_enum

MAX_BODY_CHARS = 512_000

CommandId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""Names a command; its answer has the same."""

Body = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=MAX_BODY_CHARS)]
"""Bytes in base64 (RFC 4648, 4)."""


class CommandKind(str, Enum):
    """What a device can be asked."""

    SNAPSHOT = "snapshot"
    """A camera's last picture, with what was found drawn over it if ``overlay``: ``image/jpeg``."""
    LOGS = "logs"
    """The last ``lines`` lines of the daemon's log: ``text/plain``."""
    REPLAY = "replay"
    """Send again every record from ``from_seq`` that is still there."""
    DIAGNOSTICS = "diagnostics"
    """What ``canopy doctor`` finds: ``application/json``."""
    FRAMES = "frames"
    """Send the frames that were kept for training now, whatever the hour; how many there are: ``text/plain``."""
    RELEARN = "relearn"
    """Forget what ``camera`` showed until now, since a person has said why it changed: ``text/plain``."""


class Command(Message):
    """Fleet → device. ``camera`` is for snapshots and learning anew, ``lines`` for logs, ``from_seq`` for a replay."""

    id: CommandId
    kind: Annotated[CommandKind | None, open_enum(CommandKind)]
    expires_at: Instant
    camera: Name | None = None
    overlay: bool = True
    lines: Annotated[int, Field(ge=1, le=2_000)] = 200
    from_seq: Count | None = None


class Response(Message):
    """Device → fleet. Without ``ok`` there is no body, and ``reason`` says why and what to do."""

    id: CommandId
    kind: Annotated[CommandKind | None, open_enum(CommandKind)]
    at: Instant
    ok: bool
    reason: Text = ""
    camera: Name | None = None
    media_type: Label = ""
    body: Body = ""
