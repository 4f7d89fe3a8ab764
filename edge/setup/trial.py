"""The first reading: a daemon at work until one picture has gone its whole way onto the disk."""

import threading
import time
from collections.abc import Callable

from edge.daemon import Daemon
from edge.errors import CaptureError, StoreError
from edge.settings import DeviceSettings
from edge.stored import Selection, StoredRecord, stored_records

LOOK_EVERY_S = 0.2
END_WITHIN_S = 10.0


def first_reading(settings: DeviceSettings, within_s: float, told: Callable[[str], None]) -> list[StoredRecord]:
    """The observations of the first picture that was measured, from the device's own database.

    A time-lapse is not waited for: the first picture is taken at once. The readings are true ones and stay.

    Raises:
        CaptureError: none came in time.
        CanopyError: the daemon cannot work.
    """
    eager = settings.model_copy(
        update={
            "cameras": [camera.model_copy(update={"interval_s": None, "max_fps": 1.0}) for camera in settings.cameras]
        }
    )
    daemon = Daemon(eager)
    failure: list[Exception] = []

    def work() -> None:
        try:
            daemon.run()
        except Exception as error:  # noqa: BLE001 - it is raised below, in the caller's thread
            failure.append(error)

    before = _last(settings)
    thread = threading.Thread(target=work, name="first-reading", daemon=True)
    thread.start()
    try:
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s and thread.is_alive():
            if found := _first_measured(settings, before):
                return found
            time.sleep(LOOK_EVERY_S)
    finally:
        daemon.stop()
        thread.join(END_WITHIN_S)
    if failure:
        raise failure[0]
    newest = _newest(settings, before)
    for record in newest[-1:]:
        told(f"the last picture was {record.content['outcome'].replace('_', ' ')}: {_why(record)}")
    raise CaptureError(f"no picture was measured within {within_s:.0f} s; see canopy aim, and canopy logs")


def _first_measured(settings: DeviceSettings, after: int) -> list[StoredRecord]:
    """All observations of the first picture in which a plot was measured or seen to be empty."""
    newest = _newest(settings, after)
    seen = [record for record in newest if record.content["outcome"] in {"measured", "no_plant"}]
    if not seen:
        return []
    first = seen[0].content["frame_id"]
    return [record for record in newest if record.content["frame_id"] == first]


def _newest(settings: DeviceSettings, after: int) -> list[StoredRecord]:
    try:
        with stored_records(settings.state_dir) as records:
            return [each for each in records.newest(1_000, Selection(observations_only=True)) if each.seq > after]
    except StoreError:
        return []  # not born yet


def _last(settings: DeviceSettings) -> int:
    newest = _newest(settings, 0)
    return newest[-1].seq if newest else 0


def _why(record: StoredRecord) -> str:
    return record.content["error"] or ", ".join(record.content["quality"]) or "no reason told"
