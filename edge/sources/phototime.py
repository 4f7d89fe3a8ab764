"""When a picture was taken, as its name or its EXIF data tell."""

import re
from datetime import datetime, timezone

from PIL import Image

_DATE = r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<sep>[-_.]?)(?P<month>\d\d)(?P=sep)(?P<day>\d\d)"
_TIME = r"[-_.T ]?(?P<hour>\d\d)(?P<colon>[-_.:]?)(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d))?"
_DATE_AND_TIME = re.compile(_DATE + _TIME + r"(?!\d)")
_DATE_ALONE = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<sep>[-_.])(?P<month>\d\d)(?P=sep)(?P<day>\d\d)(?!\d)")

_EXIF_FOLDER = 0x8769
_TIME_ORIGINAL = 0x9003
_OFFSET_ORIGINAL = 0x9011


def time_in_name(name: str) -> datetime | None:
    """The one date with a time of day that stands in ``name``, such as 2019-10-22-11-05 or 20191022_110533, in UTC.

    Names are taken as the machine's local time. None if there is no valid one, or several that differ.
    """
    return _only_moment(_DATE_AND_TIME, name)


def day_in_name(name: str) -> datetime | None:
    """The one date without a time of day, such as 2019-10-22, as the local midnight it began with, in UTC."""
    return _only_moment(_DATE_ALONE, name)


def time_in_exif(image: Image.Image) -> datetime | None:
    """``DateTimeOriginal`` in UTC; without its offset it is the machine's local time. None if absent or no date."""
    tags = image.getexif().get_ifd(_EXIF_FOLDER)
    local, offset = str(tags.get(_TIME_ORIGINAL, "")).strip("\0 "), str(tags.get(_OFFSET_ORIGINAL, "")).strip("\0 ")
    pattern = "%Y:%m:%d %H:%M:%S" + ("%z" if offset else "")
    try:
        return datetime.strptime(local + offset, pattern).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _only_moment(pattern: re.Pattern[str], name: str) -> datetime | None:
    moments = {_moment(found) for found in pattern.finditer(name)} - {None}
    return moments.pop() if len(moments) == 1 else None


def _moment(found: re.Match[str]) -> datetime | None:
    fields = found.groupdict(default="0")
    names = [name for name in ("year", "month", "day", "hour", "minute", "second") if name in fields]
    try:
        return datetime(*(int(fields[name]) for name in names)).astimezone(timezone.utc)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
