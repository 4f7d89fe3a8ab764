"""What moved on a camera's day: each statistic's numbers, and the bin that grew most. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.contract.drift import DriftWindow, WindowSums

TENTHS = ("lowest", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "highest")

_WORDS: Mapping[str, str] = {
    "mean_grey": "brightness",
    "contrast": "contrast",
    "overexposed": "overexposed share",
    "sharpness": "sharpness",
    "red_by_green": "red against green",
    "blue_by_green": "blue against green",
    "saturation": "depth of colour",
    "noise": "noise",
    "flicker": "brightness from picture to picture",
    "instance_area": "size of what is found",
    "features": "what the network sees",
    "plant.red_by_green": "plants: red against green",
    "plant.blue_by_green": "plants: blue against green",
}
_GROUPS = {"certainty": "certainty of", "share": "share of", "count": "count of", "score": "score of"}


@dataclass(frozen=True, slots=True)
class Moved:
    """One statistic of a day.

    ``spreads`` says how far the day's middle capture lay from the last days at the same hour, in their spread.
    ``day`` and ``before`` are shares of captures in each bin, which are tenths of the reference; ``bin`` the one that
    grew most. Without days before, ``before`` is empty and the bin is judged against a tenth.
    """

    statistic: str
    evidence: float
    alarms: bool
    spreads: float | None
    change: float | None
    psi: float | None
    js: float | None
    day: tuple[float, ...]
    before: tuple[float, ...]
    bin: int

    @property
    def says(self) -> str:
        """The bin that moved, in words."""
        now = f"{self.day[self.bin]:.0%} of the day's captures lie in the reference's {TENTHS[self.bin]} tenth"
        return f"{now}, {self.before[self.bin]:.0%} of those of the days before" if self.before else now


def spoken(statistic: str) -> str:
    """A statistic's name as people say it."""
    group, _, rest = statistic.partition(".")
    known = _WORDS.get(statistic)
    return known or (f"{_GROUPS[group]} {rest}" if group in _GROUPS and rest else statistic).replace("_", " ")


def moved(window: DriftWindow, before: WindowSums, most: int) -> list[Moved]:
    """The statistics of a day that speak most for a change, most first.

    Args:
        window: the day's.
        before: of the same reference, the sums of the days before; none makes no difference.
        most: so many at most.
    """
    names = window.sums.histograms.keys() | window.evidence.keys() | set(window.alarms)
    ordered = sorted(
        names, key=lambda name: (-window.evidence.get(name, 0.0), -abs(window.scores.get(name, 0.0)), name)
    )
    return [_moved(window, before, name) for name in ordered[:most]]


def _moved(window: DriftWindow, before: WindowSums, name: str) -> Moved:
    day, past = _shares(window.sums.histograms.get(name, ())), _shares(before.histograms.get(name, ()))
    grown = [now - then for now, then in zip(day, past or (0.1,) * len(day), strict=True)]
    return Moved(
        statistic=name, evidence=window.evidence.get(name, 0.0), alarms=name in window.alarms,
        spreads=window.scores.get(name), change=window.changes.get(name), psi=window.psi.get(name),
        js=window.js.get(name), day=day, before=past if day else (), bin=grown.index(max(grown)) if grown else 0,
    )  # fmt: skip


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    whole = sum(counts)
    return tuple(count / whole for count in counts) if whole else ()
