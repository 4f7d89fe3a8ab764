"""When a live camera takes pictures, and how many make one."""

from datetime import time
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edge.settings.base import Settings


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"{name!r} is no time zone that this machine knows; use a name as Europe/Madrid (timedatectl "
            "list-timezones), and install tzdata if all are unknown"
        ) from error
    return name


def _quoted(value: Any) -> Any:
    """YAML reads 20:00 as the number 1200, which would pass as twenty minutes after midnight."""
    if isinstance(value, (int, float)):
        raise ValueError('write times in quotes, as "20:00"; YAML reads them as numbers otherwise')  # noqa: TRY004
    return value


TimeOfDay = Annotated[time, BeforeValidator(_quoted)]


class DaylightSettings(Settings):
    """While the sun stands over ``sun_above_deg``: -0.833 is from sunrise to sunset, -6 with civil twilight.

    Higher values leave out the long shadows of morning and evening. In polar day it never ends, in polar night it
    never begins.
    """

    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    sun_above_deg: Annotated[float, Field(ge=-18, le=60)] = -0.833


class HoursSettings(Settings):
    """From ``start`` to ``end`` every day, over midnight if ``end`` comes first."""

    start: TimeOfDay
    end: TimeOfDay
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    """Absent: the machine's."""

    @model_validator(mode="after")
    def _plain(self) -> "HoursSettings":
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("start and end have no offset; set time_zone")
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start}; leave hours out for the whole day")
        return self


class WindowSettings(Settings):
    """When a live camera is open at all; with both, while both say so. Outside of it the camera is closed."""

    daylight: DaylightSettings | None = None
    hours: HoursSettings | None = None


class BurstSettings(Settings):
    """So many pictures of a live camera become one, each pixel the median of theirs.

    What is in fewer than half of them is gone: an insect, a drop that falls, the noise of the sensor.
    """

    pictures: Annotated[int, Field(ge=3, le=9)] = 5
    every_s: Annotated[float, Field(ge=0, le=10)] = 0.5
    """From one picture to the next."""

    @model_validator(mode="after")
    def _odd(self) -> "BurstSettings":
        if self.pictures % 2 == 0:
            raise ValueError(f"pictures must be odd (3, 5, 7, 9), found {self.pictures}: the median is one of them")
        return self

    @property
    def lasts_s(self) -> float:
        """How long the pauses take together."""
        return (self.pictures - 1) * self.every_s
