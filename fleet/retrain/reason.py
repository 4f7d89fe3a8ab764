"""Whether a model should be trained anew, and why: cameras that stay changed, by causes that training can mend."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from edge.contract.message import Digest
from fleet import schema
from fleet.drift.cause import CameraName, Cause
from fleet.drift.day import read_day
from fleet.drift.heat import last_days, noon
from fleet.drift.labels import Label, Said, labels_since, newest_word
from fleet.errors import NotFound, PlanError

DAYS = 14
"""So far back it is asked when a change began: a device's own detector follows within these days."""

RECENT_DAYS = 7
"""A change must have been seen in these."""

MENDED_BY_TRAINING = frozenset({Cause.SEASON, Cause.VARIETY, Cause.LIGHT, Cause.YELLOWING})
"""The others want a cloth, a screwdriver, or the model before."""

CALLS_FOR_TRAINING = frozenset({Said.NEW_VARIETY, Said.NEW_CROP, Said.LAMP_CHANGED})
"""What people say that is no alarm any more, and that the model has still not seen."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One camera that was changed on one day: the model that it ran, and what it was, by rule or by a person's word."""

    camera: CameraName
    day: date
    model: Digest
    cause: Cause
    said: Said | None

    @property
    def calls(self) -> str | None:
        """What calls for training; None if nothing does. A person's word goes before the rule's."""
        if self.said is not None and self.said.explains:
            return self.said.value if self.said in CALLS_FOR_TRAINING else None
        return self.cause.value if self.cause in MENDED_BY_TRAINING else None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a model should be trained anew."""

    model: Digest
    cameras: tuple[CameraName, ...]
    since: date
    why: str

    @property
    def sites(self) -> tuple[str, ...]:
        """Where these cameras are."""
        return tuple(sorted({site for site, _, _ in self.cameras}))


def reasons(seen: Iterable[Seen], least_days: int, today: date) -> list[Reason]:
    """One for each model, of the cameras that called for training on ``least_days`` days of the last week at least."""
    week = today - timedelta(days=RECENT_DAYS - 1)
    of_camera: dict[CameraName, list[Seen]] = defaultdict(list)
    for each in seen:
        if each.calls:
            of_camera[each.camera].append(each)
    of_model: dict[Digest, list[Seen]] = defaultdict(list)
    for each_days in of_camera.values():
        if len({each.day for each in each_days if each.day >= week}) >= least_days:
            newest = max(each_days, key=lambda each: each.day).model
            of_model[newest] += each_days
    return [_reason(model, changed) for model, changed in sorted(of_model.items())]


def _reason(model: Digest, changed: Sequence[Seen]) -> Reason:
    cameras = tuple(sorted({each.camera for each in changed}))
    counted = Counter(str(each.calls).replace("_", " ") for each in changed)
    words = ", ".join(word for word, _ in counted.most_common())
    since = min(each.day for each in changed)
    some = "a camera has" if len(cameras) == 1 else f"{len(cameras)} cameras have"
    return Reason(model, cameras, since, f"{some} changed since {since:%F}: {words}")


def by_word(connection: Connection, cameras: Sequence[CameraName], since: date, why: str) -> Reason:
    """A person's own reason: which cameras, of whatever their devices say that they run.

    Raises:
        NotFound: nothing was heard of a device, or of what it runs.
        PlanError: they run several models, so it is several retrainings.
    """
    models = {_running(connection, site, device) for site, device, _ in cameras}
    if len(models) != 1:
        raise PlanError(f"these cameras run {len(models)} models; propose a retraining for those of each")
    return Reason(models.pop(), tuple(sorted(set(cameras))), since, why)


def _running(connection: Connection, site: str, device: str) -> Digest:
    table = schema.devices.c
    query = select(table.info).where(table.site == site, table.device == device)
    info = connection.execute(query).scalar_one_or_none()
    if not info or not info.get("model"):
        raise NotFound(f"{site}/{device} has not told which model it runs; canopy-fleet devices lists those heard of")
    return str(info["model"])


def seen_lately(connection: Connection, now: datetime) -> list[Seen]:
    """The cameras that were changed on the last days, today included as far as it is told."""
    since = last_days(now, DAYS)
    labels = labels_since(connection, since)
    days = [since.date() + timedelta(days=number) for number in range(DAYS)]
    return [each for day in days for each in _of_day(connection, day, labels)]


def _of_day(connection: Connection, day: date, labels: Sequence[Label]) -> list[Seen]:
    read = read_day(connection, day)
    causes = {camera: each.cause for each in read.attributions() for camera in each.cameras}
    return [
        Seen(camera, day, window.model, causes.get(camera, Cause.UNKNOWN), newest_word(labels, camera, noon(day)))
        for camera, window in read.alarming.items()
    ]
