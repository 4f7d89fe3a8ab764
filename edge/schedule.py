"""When a camera is open: daylight and fixed hours. Pure: the time comes from outside."""

import math
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from edge.settings import DaylightSettings, HoursSettings, WindowSettings

_J2000 = datetime(2000, 1, 1, 12, tzinfo=timezone.utc)
DAY_S = 86_400.0
CENTURY_DAYS = 36_525.0


def is_open(window: WindowSettings | None, now: datetime) -> bool:
    """Whether a live camera takes pictures at ``now``."""
    if window is None:
        return True
    daylight = window.daylight is None or _is_light(window.daylight, now)
    return daylight and (window.hours is None or _is_hour(window.hours, now))


def sun_elevation_deg(at: datetime, latitude_deg: float, longitude_deg: float) -> float:
    """How high the middle of the sun stands over the horizon, without the air's refraction, to about 0.1°.

    Source: NOAA Solar Calculator, https://gml.noaa.gov/grad/solcalc/calcdetails.html, after J. Meeus, Astronomical
    Algorithms, 1998. Sunrise and sunset are at -0.833°: refraction and half the sun's disc.
    """
    days = (at - _J2000).total_seconds() / DAY_S
    centuries = days / CENTURY_DAYS
    mean_longitude = math.radians((280.46646 + centuries * (36000.76983 + centuries * 0.0003032)) % 360)
    anomaly = math.radians(357.52911 + centuries * (35999.05029 - 0.0001537 * centuries))
    centre_deg = (
        math.sin(anomaly) * (1.914602 - centuries * (0.004817 + 0.000014 * centuries))
        + math.sin(2 * anomaly) * (0.019993 - 0.000101 * centuries)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * centuries)
    longitude = mean_longitude + math.radians(centre_deg - 0.00569 - 0.00478 * math.sin(node))
    obliquity = math.radians(23.4392911 - 0.0130042 * centuries + 0.00256 * math.cos(node))
    declination = math.asin(math.sin(obliquity) * math.sin(longitude))
    right_ascension = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    sidereal_deg = 280.46061837 + 360.98564736629 * days
    hour_angle = math.radians(sidereal_deg + longitude_deg) - right_ascension
    latitude = math.radians(latitude_deg)
    height = math.sin(latitude) * math.sin(declination)
    height += math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, height))))


def _is_light(daylight: DaylightSettings, now: datetime) -> bool:
    return sun_elevation_deg(now, daylight.latitude_deg, daylight.longitude_deg) >= daylight.sun_above_deg


def _is_hour(hours: HoursSettings, now: datetime) -> bool:
    """In local time, so that summer time moves the window as it moves the people."""
    local = now.astimezone(ZoneInfo(hours.time_zone) if hours.time_zone else None).time()
    if hours.start < hours.end:
        return hours.start <= local < hours.end
    return local >= hours.start or local < hours.end
