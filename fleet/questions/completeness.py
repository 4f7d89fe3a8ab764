"""How complete a device's records are, hour by hour. Pure arithmetic over what the store holds.

A number that is missing has no time. It counts in the hour of the next record that did arrive; where none did, now, or
for a numbering that has ended when it was last heard of.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.ingest.rows import hour_of


@dataclass(frozen=True, slots=True)
class Lapse:
    """``count`` records that are not there, as of ``at``."""

    count: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Hour:
    """The records of one hour: arrived, known of but not arrived, and told dropped.

    ``epoch_breaks``: how often the device began to count anew, after which nobody can know what came before.
    """

    hour: datetime
    received: int = 0
    missing: int = 0
    dropped: int = 0
    epoch_breaks: int = 0


def by_hour(
    received: Mapping[datetime, int],
    missing: Iterable[Lapse],
    dropped: Iterable[Lapse],
    epoch_breaks: Iterable[datetime],
    *,
    until: datetime,
    hours: int,
) -> list[Hour]:
    """The last ``hours`` hours, oldest first, the one that ``until`` lies in included."""
    missing_by, dropped_by = _sum(missing), _sum(dropped)
    breaks_by = Counter(map(hour_of, epoch_breaks))
    last = hour_of(until)
    wanted = (last - timedelta(hours=back) for back in reversed(range(hours)))
    return [Hour(hour, received.get(hour, 0), missing_by[hour], dropped_by[hour], breaks_by[hour]) for hour in wanted]


def _sum(lapses: Iterable[Lapse]) -> Counter[datetime]:
    counted: Counter[datetime] = Counter()
    for lapse in lapses:
        counted[hour_of(lapse.at)] += lapse.count
    return counted
