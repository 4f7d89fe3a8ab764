"""The time floor: a moment that has certainly passed. A clock that stands before it is wrong.

Expiry is what a freeze attack has against it, and a computer without a battery for its clock boots in 1970, where
nothing has expired yet. The floor begins with the day of the release and rises to the moment at which each accepted
timestamp was signed. It rises neither to what a timestamp calls its expiry, which lies ahead, nor past the clock: so
neither a clock that was wrong for a day nor a stolen key leaves a device behind that waits for the year 2099.
"""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from edge.clock import RELEASED_AT
from edge.disk import write_whole
from edge.errors import ClockBehind

SLACK = timedelta(minutes=15)
"""How far two right clocks may stand apart."""

_MAX_BYTES = 64
_log = logging.getLogger(__name__)


class TimeFloor:
    """The floor of one device, in a file.

    Args:
        path: where it is kept.
        built_at: the least that it can be, the day of the software's release.
    """

    def __init__(self, path: Path, built_at: datetime = RELEASED_AT) -> None:
        self._path = path
        self._built_at = built_at

    @property
    def moment(self) -> datetime:
        """What has certainly passed. A file that cannot be read is said to be, and rises anew with the next update."""
        try:
            with self._path.open("rb") as file:
                kept = datetime.fromisoformat(file.read(_MAX_BYTES).decode("ascii"))
            return max(self._built_at, kept)
        except FileNotFoundError:
            return self._built_at
        except (OSError, ValueError, TypeError) as error:
            _log.warning("cannot read the time floor %s (%s); it is %s again", self._path, error, self._built_at)
            return self._built_at

    def judge(self, now: datetime) -> datetime:
        """The moment by which to judge expiry, given what the clock says.

        Raises:
            ClockBehind: it stands before the floor.
        """
        floor = self.moment
        if now < floor - SLACK:
            raise ClockBehind(
                f"the clock says {now:%F %T} UTC and it is at least {floor:%F %T} UTC ({self._path}): no expiry can "
                "be judged by such a clock; correct it (timedatectl set-time, or a time server), then ask again"
            )
        return max(now, floor)

    def rise(self, issued_at: datetime, now: datetime) -> None:
        """Learn from an accepted timestamp when it was signed.

        Raises:
            ClockBehind: the clock stands before that moment, so that nothing it judged was judged rightly.
            OSError: the floor cannot be kept.
        """
        if now < issued_at - SLACK:
            raise ClockBehind(
                f"the clock says {now:%F %T} UTC and what the repository offers was signed at {issued_at:%F %T} UTC: "
                "set the clock, on the device or where the repository is signed, then ask again"
            )
        moment = min(issued_at, now)
        if moment > self.moment:
            write_whole(self._path, moment.isoformat().encode("ascii"))
