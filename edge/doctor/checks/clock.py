"""Whether the wall clock can be right."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from edge.clock import RELEASED_AT, utc_now
from edge.doctor.finding import Finding, Scribe
from edge.doctor.patient import Patient
from edge.errors import StoreError
from edge.stored import stored_records

MEND = "set it, with timedatectl set-time or by a time server; without a battery it forgets the time at each power cut"
SLACK = timedelta(minutes=2)
LATEST = datetime(2100, 1, 1, tzinfo=timezone.utc)


def examine(patient: Patient, scribe: Scribe) -> Iterator[Finding]:
    """Compare it with moments that are known to have passed: this release, and the newest reading."""
    now = utc_now()
    told = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < RELEASED_AT:
        yield scribe.fail(f"{told}, which is before this software was released ({RELEASED_AT:%Y-%m-%d})", MEND)
    elif now > LATEST:
        yield scribe.fail(f"{told}, which is not in this century", MEND)
    elif (newest := _newest(patient)) is not None and newest > now + SLACK:
        yield scribe.fail(f"{told}, but the newest record is of {newest:%Y-%m-%d %H:%M:%S}", MEND)
    else:
        yield scribe.ok(told)


def _newest(patient: Patient) -> datetime | None:
    try:
        with stored_records(patient.settings.data_dir) as records:
            newest = records.newest(1)
    except StoreError:
        return None
    return datetime.fromisoformat(newest[0].content["clock"]["at"].replace("Z", "+00:00")) if newest else None
