"""What a daemon last ran with, for whoever compares the file with it while none runs. No secrets are in it."""

import json
import logging
from pathlib import Path
from typing import Any

from edge.disk import write_whole
from edge.settings.device import DeviceSettings

APPLIED_FILE = "applied.json"
MAX_BYTES = 1_000_000

log = logging.getLogger(__name__)


def note_applied(settings: DeviceSettings) -> None:
    """Keep what runs now. A disk that takes nothing must not keep the device from measuring."""
    try:
        write_whole(settings.state_dir / APPLIED_FILE, settings.model_dump_json().encode())
    except OSError as error:
        log.warning("what runs cannot be noted for canopy config diff: %s", error)


def read_applied(state_dir: Path) -> dict[str, Any] | None:
    """What ran last; None if nothing ever did, or nobody can tell."""
    try:
        with (state_dir / APPLIED_FILE).open("rb") as file:
            document = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
