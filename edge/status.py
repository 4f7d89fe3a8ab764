"""What the running daemon tells the technician: one small file, replaced as a whole every few seconds."""

from pathlib import Path

from pydantic import Field, ValidationError

from edge.contract.message import Instant, Wire
from edge.contract.messages import Health
from edge.errors import CanopyError

STATUS_FILE = "status.json"
MAX_BYTES = 1_000_000


class CameraStatus(Wire):
    """One camera as its thread sees it."""

    connected: bool
    total: int | None = Field(None, description="pictures that a file or folder holds")
    outages: int = 0
    error: str = ""
    resting: bool = Field(default=False, description="closed until its window opens")
    complaint: str = Field("", description="what it does not do as configured though it gives pictures")
    repairs: dict[str, int] = Field(default_factory=dict, description="how often each rung of its ladder was taken")


class Status(Wire):
    """A snapshot of the daemon."""

    pid: int
    started_at: Instant
    site: str
    device: str
    model: str
    update: str = Field("", description="what is under way with another model, or why it was refused")
    connected: bool | None = Field(description="whether the broker is reached; None if there is none")
    cameras: dict[str, CameraStatus]
    health: Health
    peak_rss_bytes: int


def write_status(folder: Path, status: Status) -> None:
    """Replace the status file. It is not synced to the disk: after a power cut there is nothing running to tell of."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{STATUS_FILE}.new"
    fresh.write_text(status.model_dump_json(), encoding="utf-8")
    fresh.replace(folder / STATUS_FILE)


def read_status(folder: Path) -> Status | None:
    """The last snapshot; None if no daemon has run here.

    Raises:
        CanopyError: the file is not a status.
    """
    path = folder / STATUS_FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CanopyError(f"{path} has more than {MAX_BYTES} bytes; that is no status: delete it")
        return Status.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise CanopyError(f"cannot read {path}: {error}") from error
