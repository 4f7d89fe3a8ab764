"""What a device may do by itself to have a camera back."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer

from edge.settings.base import Settings


def _absolute(words: list[str]) -> list[str]:
    if not words[0].startswith("/"):
        raise ValueError(f"name the program with its whole path, not as {words[0]!r}: /usr/local/bin/…")
    return words


Words = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=500)]],
    Field(min_length=1, max_length=32),
    AfterValidator(_absolute),
]


class UsbPower(Settings):
    """Take the camera off its USB bus and on again, by ``authorized`` in sysfs: no other tool, and no power is cut."""

    kind: Literal["usb"] = "usb"


class UhubctlPower(Settings):
    """Cut the power of a port of a USB hub that can do so, by uhubctl."""

    kind: Literal["uhubctl"] = "uhubctl"
    hub: Annotated[str, Field(pattern=r"^\d+(-\d+(\.\d+)*)?$")]
    """As ``uhubctl`` lists it: 1-1.4."""
    port: Annotated[int, Field(ge=1, le=32)]


class CommandPower(Settings):
    """A command of one's own: the PoE port of a switch, a relay. It must end by itself, with 0 if it worked."""

    kind: Literal["command"] = "command"
    command: Annotated[Words, PlainSerializer(lambda words: words[:1])]
    """Its arguments may hold a switch's password, and are never written out again."""


PowerSettings = Annotated[UsbPower | UhubctlPower | CommandPower, Field(discriminator="kind")]


class RebootSettings(Settings):
    """Restart the machine when nothing else has brought the camera back."""

    per_day: Annotated[int, Field(ge=1, le=24)] = 1
    after_s: Annotated[float, Field(ge=0)] = 1800.0
    """The camera has been away for at least so long."""
    min_uptime_s: Annotated[float, Field(ge=600)] = 3600.0
    """Never sooner after the machine's last start, whatever the clock says."""
    though_others_work: bool = False
    """Even while another camera of this device gives pictures."""


class RecoverySettings(Settings):
    """The ladder: reopen, rebuild the pipeline, restart the service, cycle the power, restart the machine.

    After ``tries`` openings that gave nothing comes the next rung, once, and no sooner than ``rung_s`` after the loss
    or the rung before; a rung that is not set up here is passed over. After the last one the camera is only reopened,
    until the ladder is climbed again ``rest_s`` later. A camera that has given pictures for ``healthy_s`` is well: its
    next failure begins at the lowest rung.
    """

    tries: Annotated[int, Field(ge=1, le=100)] = 4
    rung_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    healthy_s: Annotated[float, Field(gt=0)] = 600.0
    rest_s: Annotated[float, Field(gt=0)] = 3600.0
    unreadable_after: Annotated[int, Field(ge=2, le=10_000)] = 20
    """So many pictures in a row that cannot be read are a failure of the camera."""
    frozen_s: Annotated[float, Field(gt=0)] = 60.0
    """A picture that repeats exactly for so long, and ``quality.frozen_after`` times, is one too, unless it is dark."""
    service: Literal["nvargus-daemon", "mediamtx", "go2rtc"] | None = None
    """A service of systemd that the camera hangs on, to be restarted."""
    power: PowerSettings | None = None
    reboot: RebootSettings | None = None
    command_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """A command that has not ended by then is killed, with all that it started."""
