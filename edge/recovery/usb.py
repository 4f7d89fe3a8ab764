"""A USB camera taken off its bus and on again, through sysfs."""

import threading
from pathlib import Path

from edge.recovery.commands import Ending

SYSFS = Path("/sys")
OFF_S = 2.0


def usb_device_of(node: Path, sysfs: Path = SYSFS) -> Path | None:
    """The USB device behind a device file such as /dev/video0; None if it hangs on no USB bus."""
    try:
        place = (sysfs / "class/video4linux" / node.name / "device").resolve(strict=True)
    except OSError:
        return None
    return next((folder for folder in (place, *place.parents) if (folder / "authorized").is_file()), None)


def reconnect(device: Path, stopping: threading.Event, off_s: float = OFF_S) -> Ending:
    """Withdraw the kernel's leave to use ``device``, and give it again ``off_s`` later, in any case."""
    switch = device / "authorized"
    try:
        switch.write_text("0", encoding="ascii")
        stopping.wait(off_s)
        switch.write_text("1", encoding="ascii")
    except OSError as error:
        return Ending(
            ok=False, words=f"{switch} cannot be written: {error.strerror}; docs/cameras.md has the rule for udev"
        )
    return Ending(ok=True, words=f"USB device {device.name} was taken off and on")
