"""The heat map: each camera, day by day, by the evidence at the end of that day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Protocol

from edge.contract.drift import discoveries
from fleet.drift.cause import CameraName
from fleet.drift.labels import Label, Said, newest_word

QUIET_BELOW = 1.0
ALPHA = 0.05

ToldOfDays = Mapping[tuple[CameraName, date], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One camera on one day.

    ``evidence`` is the mean of its statistics' e-values, which is an e-value again, and ``statistic`` the one that has
    most. ``alarms`` passed the device's limit, ``discovered`` says that e-BH found the camera among all of the day.
    ``label`` is what a person said last of that time. ``open``: its device told of the change, and the day's window
    is still to come.
    """

    camera: CameraName
    day: date
    evidence: float
    statistic: str | None
    alarms: tuple[str, ...]
    discovered: bool
    label: Said | None
    open: bool = False

    @property
    def state(self) -> str:
        """``alarm``, ``labelled``, ``watch`` or ``quiet``."""
        if self.alarms or self.discovered:
            return "labelled" if self.label and self.label.explains else "alarm"
        return "watch" if self.evidence >= QUIET_BELOW else "quiet"


class Ended(Protocol):
    """A camera's day as it ended: a window, or what is known of one."""

    @property
    def camera(self) -> CameraName: ...  # noqa: D102 - as a window's
    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def evidence(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def alarms(self) -> tuple[str, ...]: ...  # noqa: D102


def heat_map(
    windows: Iterable[Ended], labels: Sequence[Label], alpha: float = ALPHA, told: ToldOfDays | None = None
) -> list[Cell]:
    """A cell for each camera and day that has a window, or of which a device told.

    e-BH judges all cameras of a day together. ``told``: the statistics that a device named as changed, with their
    evidence; a window comes when its day is over.
    """
    days: dict[date, dict[CameraName, list[Ended]]] = {}
    for each in windows:
        days.setdefault(each.day, {}).setdefault(each.camera, []).append(each)
    cells = [cell for day, cameras in days.items() for cell in _cells(day, cameras, labels, alpha)]
    for (camera, day), evidence in (told or {}).items():
        if camera not in days.get(day, {}):
            cells.append(_open_cell(camera, day, evidence, labels))
    return sorted(cells, key=lambda cell: (cell.day, cell.camera))


def _open_cell(camera: CameraName, day: date, evidence: Mapping[str, float], labels: Sequence[Label]) -> Cell:
    ordered = sorted(evidence, key=lambda name: (-evidence[name], name))
    strongest = ordered[0] if ordered else None
    most = evidence[strongest] if strongest else 0.0
    label = newest_word(labels, camera, noon(day))
    return Cell(
        camera, day, most, strongest, tuple(ordered) or ("something",), discovered=False, label=label, open=True
    )


def _cells(day: date, cameras: Mapping[CameraName, list[Ended]], labels: Sequence[Label], alpha: float) -> list[Cell]:
    strongest = {camera: _strongest(windows) for camera, windows in cameras.items()}
    found = discoveries({"/".join(camera): evidence for camera, (_, evidence) in strongest.items()}, alpha)
    return [
        Cell(
            camera=camera,
            day=day,
            evidence=evidence,
            statistic=statistic,
            alarms=cameras[camera][-1].alarms,
            discovered="/".join(camera) in found,
            label=newest_word(labels, camera, noon(day)),
        )
        for camera, (statistic, evidence) in strongest.items()
    ]


def noon(day: date) -> datetime:
    """The moment that stands for a day: a label that covers it speaks of the day."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)


def _strongest(windows: Sequence[Ended]) -> tuple[str | None, float]:
    """Of all statistics together, whose mean is an e-value again: the largest, and that mean."""
    evidence = windows[-1].evidence
    if not evidence:
        return None, 0.0
    return max(evidence, key=lambda name: evidence[name]), sum(evidence.values()) / len(evidence)


def last_days(now: datetime, days: int) -> datetime:
    """The midnight with which the last ``days`` days begin."""
    today = now.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1)
