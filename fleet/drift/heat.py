"""The heat map: each camera, day by day, by the strongest evidence of that day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from edge.contract.drift import discoveries
from fleet.drift.labels import Label, Said, newest_word
from fleet.drift.windows import Filed

QUIET_BELOW = 1.0
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Cell:
    """One camera on one day.

    ``evidence`` is the largest e-value of its statistics, ``statistic`` the one that has it, ``alarms`` those that
    passed the device's limit, ``discovered`` whether e-BH found it among all cameras of the day, ``label`` what a person
    said last of that time.
    """

    camera: tuple[str, str, str]
    day: date
    evidence: float
    statistic: str | None
    alarms: tuple[str, ...]
    discovered: bool
    label: Said | None

    @property
    def state(self) -> str:
        """``alarm``, ``labelled``, ``watch`` or ``quiet``."""
        if self.alarms or self.discovered:
            return "labelled" if self.label and self.label.explains else "alarm"
        return "watch" if self.evidence >= QUIET_BELOW else "quiet"


def heat_map(windows: Iterable[Filed], labels: Sequence[Label], alpha: float = ALPHA) -> list[Cell]:
    """A cell for each camera and day that has a window; e-BH judges all cameras of a day together."""
    days: dict[date, dict[tuple[str, str, str], list[Filed]]] = {}
    for each in windows:
        days.setdefault(each.day, {}).setdefault(each.camera, []).append(each)
    return [cell for day in sorted(days) for cell in _cells(day, days[day], labels, alpha)]


def _cells(
    day: date, cameras: dict[tuple[str, str, str], list[Filed]], labels: Sequence[Label], alpha: float
) -> list[Cell]:
    strongest = {camera: _strongest(windows) for camera, windows in cameras.items()}
    found = discoveries({"/".join(camera): evidence for camera, (_, evidence) in strongest.items()}, alpha)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)
    return [
        Cell(
            camera=camera,
            day=day,
            evidence=evidence,
            statistic=statistic,
            alarms=cameras[camera][-1].window.alarms,
            discovered="/".join(camera) in found,
            label=newest_word(labels, camera, noon),
        )
        for camera, (statistic, evidence) in sorted(strongest.items())
    ]


def _strongest(windows: Sequence[Filed]) -> tuple[str | None, float]:
    """Of all statistics together, whose mean is an e-value again: the largest, and that mean."""
    evidence = windows[-1].window.evidence
    if not evidence:
        return None, 0.0
    return max(evidence, key=lambda name: evidence[name]), sum(evidence.values()) / len(evidence)


def last_days(now: datetime, days: int) -> datetime:
    """The midnight with which the last ``days`` days begin."""
    today = now.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1)
