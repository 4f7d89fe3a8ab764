"""Brings kept frames to the fleet: at night, slowly, from where it stopped; forgotten here once the fleet has them."""

import base64
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from edge.clock import utc_now
from edge.contract.frames import (
    CERTIFICATE_HEADER,
    PIECE_BYTES,
    SIGNATURE_HEADER,
    SIGNED_AT_HEADER,
    Receipt,
    frame_path,
    signed_text,
)
from edge.enroll import talk
from edge.enroll.identity import ENROL, Identity, IdentityFolder
from edge.errors import EnrolmentRefused, FleetUnreachable, IdentityError
from edge.harvest.shelf import Shelved, all_frames
from edge.settings.harvest import FrameUploadSettings

if TYPE_CHECKING:
    import urllib3

ROUNDS = 3
"""So often a frame may begin anew within one visit."""

REFUSALS = 3
"""After so many in a row the visit ends: it is the device that is refused, or a fleet that is asked too often."""

log = logging.getLogger(__name__)


class Courier:
    """Carries frames to the fleet that a device enrolled with, each request signed by the device's key."""

    def __init__(
        self, identity: Identity, pool: "urllib3.PoolManager", bytes_per_s: float, stopping: threading.Event
    ) -> None:
        self._identity, self._pool, self._bytes_per_s, self._stopping = identity, pool, bytes_per_s, stopping

    def bring(self, frame: Shelved) -> bool:
        """Bring one frame, and forget it here once the fleet has it; whether it has.

        Raises:
            EnrolmentRefused: the fleet says no.
            FleetUnreachable: the fleet does not answer.
            OSError: the frame is gone.
        """
        known = frame.read()
        if known is None:
            return False
        jpeg, path = frame.path.read_bytes(), frame_path(known.image)
        receipt = self._ask("POST", path, frame.description.read_bytes())
        for _ in range(ROUNDS * (2 + len(jpeg) // PIECE_BYTES)):
            if receipt.stored or self._stopping.is_set():
                break
            began_s = time.monotonic()
            piece = jpeg[receipt.offset : receipt.offset + PIECE_BYTES]
            receipt = self._ask("PUT", f"{path}?offset={receipt.offset}", piece)
            self._slow_down(len(piece), time.monotonic() - began_s)
        if receipt.stored:
            frame.drop()
        return receipt.stored

    def _slow_down(self, sent_bytes: int, took_s: float) -> None:
        if self._bytes_per_s:
            self._stopping.wait(max(0.0, sent_bytes / self._bytes_per_s - took_s))

    def _ask(self, method: str, path: str, body: bytes) -> Receipt:
        at = utc_now().isoformat()
        signature = self._identity.key.sign(signed_text(method, path, at, body).encode(), ec.ECDSA(hashes.SHA256()))
        headers = {
            CERTIFICATE_HEADER: base64.b64encode(self._identity.certificate.public_bytes(Encoding.DER)).decode(),
            SIGNED_AT_HEADER: at,
            SIGNATURE_HEADER: base64.b64encode(signature).decode(),
            "Content-Type": "application/octet-stream",
        }
        content = talk.ask(self._pool, method, self._identity.fleet + path, body, headers)
        try:
            return Receipt.model_validate_json(content)
        except ValidationError as error:
            raise FleetUnreachable(
                f"{self._identity.fleet}{path} answers no receipt; is it a fleet service?"
            ) from error


@contextmanager
def courier(state_dir: Path, settings: FrameUploadSettings, stopping: threading.Event) -> Iterator[Courier]:
    """One that knows the device's identity.

    Raises:
        IdentityError: the device has none.
    """
    folder = IdentityFolder(state_dir)
    identity = folder.read()
    if identity is None:
        raise IdentityError(
            f"frames are sent to the fleet that a device enrolled with, and this one never did: {ENROL}"
        )
    with talk.connections(talk.trusting(folder.ca.read_bytes())) as pool:
        yield Courier(identity, pool, settings.bytes_per_s, stopping)


def send_all(
    state_dir: Path, settings: FrameUploadSettings, stopping: threading.Event, refused: set[str] | None = None
) -> int:
    """Bring every frame, the oldest first; how many the fleet has now. One that it refuses stays, and is told of.

    ``refused`` names those that it refused before, which are passed over, and learns of more.

    Raises:
        IdentityError: the device has no identity, the fleet does not answer, or says no to everything.
    """
    refused = set() if refused is None else refused
    frames, sent, in_a_row = [frame for frame in all_frames(state_dir) if frame.path.stem not in refused], 0, 0
    if not frames:
        return 0
    with courier(state_dir, settings, stopping) as carrier:
        for frame in frames:
            if stopping.is_set():
                break
            try:
                sent += carrier.bring(frame)
                in_a_row = 0
            except EnrolmentRefused as error:
                in_a_row += 1
                if in_a_row == REFUSALS:
                    raise
                refused.add(frame.path.stem)
                log.warning("the fleet does not take frame %s: %s", frame.path.stem, error)
            except FileNotFoundError:
                continue  # dropped meanwhile
    return sent


class FrameUpload:
    """Sends in its hours, in a thread of its own.

    Args:
        state_dir: of the device.
        settings: when, and how fast.
    """

    def __init__(self, state_dir: Path, settings: FrameUploadSettings) -> None:
        self._state_dir, self._settings = state_dir, settings
        self._stopping, self._wanted = threading.Event(), threading.Event()
        self._told = ""
        self._refused: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and do not wait: the fleet goes on where it stopped."""
        self._stopping.set()
        self._wanted.set()

    def send_now(self) -> None:
        """Send everything once, whatever the hour."""
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            wanted = self._wanted.is_set()
            self._wanted.clear()
            if wanted or is_hour(datetime.now().astimezone().hour, self._settings):
                self._look()
            if not self._stopping.is_set():
                self._wanted.wait(self._settings.look_every_s)

    def _look(self) -> None:
        try:
            sent = send_all(self._state_dir, self._settings, self._stopping, self._refused)
            if sent:
                log.info("%d frames went to the fleet", sent)
            self._told = ""
        except (IdentityError, OSError) as error:
            if str(error) != self._told:
                log.warning("frames cannot be sent now and stay here: %s", error)
            self._told = str(error)
        except Exception:
            log.exception("frames could not be sent")


def is_hour(hour: int, settings: FrameUploadSettings) -> bool:
    """Whether frames are sent in this hour of the day."""
    first, last = settings.from_hour, settings.to_hour
    if first == last:
        return True
    return first <= hour < last if first < last else hour >= first or hour < last
