"""The controls of a V4L2 camera: what a configuration locks, set, read back and compared.

The kernel's own interface, by ``ioctl``: six structures that have not changed since Linux 2.6. Source: the Linux Media
Infrastructure userspace API, VIDIOC_QUERYCTRL and VIDIOC_G_CTRL.
"""

import errno
import fcntl
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.settings import ControlSettings

QUERYCTRL = struct.Struct("=II32siiiiI8x")
CONTROL = struct.Struct("=Ii")

USER, CAMERA = 0x00980900, 0x009A0900
AUTO_WHITE_BALANCE, AUTO_GAIN, GAIN = USER + 12, USER + 18, USER + 19
POWER_LINE_FREQUENCY, WHITE_BALANCE_TEMPERATURE = USER + 24, USER + 26
EXPOSURE_AUTO, EXPOSURE_ABSOLUTE = CAMERA + 1, CAMERA + 2
FOCUS_ABSOLUTE, FOCUS_AUTO = CAMERA + 10, CAMERA + 12

EXPOSURE_MANUAL = 1
EXPOSURES_PER_MS = 10
POWER_LINES = {0: 0, 50: 1, 60: 2}
NEXT_CONTROL = 0x8000_0000
DISABLED, WRITE_ONLY = 0x0001, 0x0040
MAX_CONTROLS = 1_000

Ioctl = Callable[[int, int, bytes], bytes]


def request(number: int, size_bytes: int) -> int:
    """The number of a request that is read and written, as the macro _IOWR makes it for 'V'."""
    return 3 << 30 | size_bytes << 16 | ord("V") << 8 | number


QUERY, GET, SET = request(36, QUERYCTRL.size), request(27, CONTROL.size), request(28, CONTROL.size)


@dataclass(frozen=True, slots=True)
class Control:
    """One control as the driver describes it."""

    number: int
    name: str
    least: int
    most: int
    step: int
    flags: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A control that is to have ``value``; ``needed`` says whether a camera without it cannot be locked."""

    control: int | str
    setting: str
    value: int
    needed: bool = True


def wishes(settings: ControlSettings) -> list[Wish]:
    """What to set, in this order: an automatic goes off before its value can be set."""
    wanted: list[Wish] = []
    if settings.exposure_ms is not None:
        wanted.append(Wish(EXPOSURE_AUTO, "exposure_ms", EXPOSURE_MANUAL))
        wanted.append(Wish(EXPOSURE_ABSOLUTE, "exposure_ms", round(settings.exposure_ms * EXPOSURES_PER_MS)))
    if settings.gain is not None:
        wanted.append(Wish(AUTO_GAIN, "gain", 0, needed=False))
        wanted.append(Wish(GAIN, "gain", settings.gain))
    if settings.white_balance_k is not None:
        wanted.append(Wish(AUTO_WHITE_BALANCE, "white_balance_k", 0))
        wanted.append(Wish(WHITE_BALANCE_TEMPERATURE, "white_balance_k", settings.white_balance_k))
    if settings.focus is not None:
        wanted.append(Wish(FOCUS_AUTO, "focus", 0, needed=False))
        wanted.append(Wish(FOCUS_ABSOLUTE, "focus", settings.focus))
    if settings.power_line_hz is not None:
        wanted.append(Wish(POWER_LINE_FREQUENCY, "power_line_hz", POWER_LINES[settings.power_line_hz]))
    wanted.extend(Wish(name, f"other.{name}", value) for name, value in settings.other.items())
    return wanted


def lock(descriptor: int, wanted: list[Wish], ioctl: Ioctl = fcntl.ioctl) -> list[str]:
    """Set what is wanted on an open device; says of each wish that did not come true why, and what is allowed."""
    named = _by_name(descriptor, ioctl) if any(isinstance(wish.control, str) for wish in wanted) else {}
    found = [(wish, named.get(wish.control) if isinstance(wish.control, str) else wish.control) for wish in wanted]
    outcomes = [_fulfil(descriptor, wish, number, ioctl) for wish, number in found]
    return [trouble for trouble in outcomes if trouble]


def _fulfil(descriptor: int, wish: Wish, number: int | None, ioctl: Ioctl) -> str:
    control = None if number is None else _query(descriptor, number, ioctl)
    if control is None or control.flags & DISABLED:
        return f"{wish.setting}: this camera has no such control" if wish.needed else ""
    off_step = (wish.value - control.least) % max(1, control.step)
    if not control.least <= wish.value <= control.most or off_step:
        return f"{wish.setting}: {_allowed(control, wish)}"
    try:
        ioctl(descriptor, SET, CONTROL.pack(control.number, wish.value))
        if control.flags & WRITE_ONLY:
            return ""
        _, value = CONTROL.unpack(ioctl(descriptor, GET, CONTROL.pack(control.number, 0)))
    except OSError as error:
        return f"{wish.setting}: {control.name} was refused ({error.strerror}); {_allowed(control, wish)}"
    return "" if value == wish.value else f"{wish.setting}: {control.name} stays at {value}, {wish.value} was set"


def _allowed(control: Control, wish: Wish) -> str:
    """The range in the setting's own unit."""
    scale = EXPOSURES_PER_MS if control.number == EXPOSURE_ABSOLUTE else 1
    least, most, step, value = (each / scale for each in (control.least, control.most, control.step, wish.value))
    return f"{control.name} can be {least:g} to {most:g} in steps of {step:g}, not {value:g}"


def _query(descriptor: int, number: int, ioctl: Ioctl) -> Control | None:
    """A control; with ``NEXT_CONTROL`` in its number the one behind it. None where there is none."""
    try:
        answer = ioctl(descriptor, QUERY, QUERYCTRL.pack(number, 0, b"", 0, 0, 0, 0, 0))
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOTTY}:
            return None
        raise
    number, _, name, least, most, step, _, flags = QUERYCTRL.unpack(answer)
    return Control(number, name.partition(b"\0")[0].decode("utf-8", "replace"), least, most, step, flags)


def _by_name(descriptor: int, ioctl: Ioctl) -> dict[str, int]:
    return {_spelled(control.name): control.number for control in _all(descriptor, ioctl)}


def _all(descriptor: int, ioctl: Ioctl) -> Iterator[Control]:
    number = 0
    for _ in range(MAX_CONTROLS):
        control = _query(descriptor, number | NEXT_CONTROL, ioctl)
        if control is None:
            return
        yield control
        number = control.number


def _spelled(name: str) -> str:
    """As ``v4l2-ctl`` writes it: "White Balance, Auto" → white_balance_auto."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
