"""What a change most likely was, by rule and with its evidence.

One camera's numbers tell what happened before it; how many cameras of a site say the same on the same day tells whether
it was the camera, the light, or the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from edge.contract.drift import DriftWindow

CameraName = tuple[str, str, str]


class Cause(str, Enum):
    """What a change can come from."""

    FOG = "fog"
    FOCUS = "focus"
    DUST = "dust"
    KNOCK = "knock"
    EXPOSURE = "exposure"
    LIGHT = "light"
    VARIETY = "variety"
    YELLOWING = "yellowing"
    MODEL = "model"
    SEASON = "season"
    UNKNOWN = "unknown"


MEND = {
    Cause.FOG: "water or fog on the lens: wipe it, and see whether the housing is tight",
    Cause.FOCUS: "the lens is out of focus: set it with canopy aim, and lock it",
    Cause.DUST: "dust on the lens: clean it with a soft cloth",
    Cause.KNOCK: "the camera looks elsewhere: set it back, or calibrate its plots anew",
    Cause.EXPOSURE: "exposure changes from picture to picture: lock exposure and gain in the camera's controls",
    Cause.LIGHT: "the light has another colour: a lamp was changed or has failed, or the white balance is not locked",
    Cause.VARIETY: "the plants have another colour than before: label it as a new variety if it is one",
    Cause.YELLOWING: "leaves turn yellow: look at the plants for pests, drought or a lack of nitrogen",
    Cause.MODEL: "the cameras changed when their model did: compare it with the one before, or roll it back",
    Cause.SEASON: "many cameras of several sites change slowly: the season or the growth; retrain on their frames",
    Cause.UNKNOWN: "look at pictures from before and after",
}
"""What to do, as a grower is told."""

SOFT, PALE, LIT, TINTED = -4.0, -2.0, 3.5, 0.04
"""Spreads of sharpness, of saturation and of grey, and the share by which a colour must have moved."""

UNSTEADY = 4.0
"""Spreads by which brightness jumps more than before from one picture to the next."""

SAME_LIGHT = 0.4
"""The light moved if the whole picture's colour moved by this share of what the plants' did."""

MOST_OF_SITE = 0.5
MIN_TOGETHER = 2


@dataclass(frozen=True, slots=True)
class Attribution:
    """A change that was given a cause: which cameras it is seen on, and what says so."""

    cause: Cause
    cameras: tuple[CameraName, ...]
    evidence: str

    @property
    def mend(self) -> str:
        """What to do."""
        return MEND[self.cause]


def seen_by(window: DriftWindow, *, moved: bool = False) -> tuple[Cause, str]:
    """What one camera's day looks like, and the numbers that say so."""
    scores = window.scores
    sharp, pale, grey = scores.get("sharpness", 0.0), scores.get("saturation", 0.0), scores.get("mean_grey", 0.0)
    plant, picture = _tint(window, "plant.red_by_green"), _tint(window, "red_by_green")
    told = f"sharpness {sharp:+.1f}, saturation {pale:+.1f}, grey {grey:+.1f} spreads; plants {plant:+.0%} redder"
    if moved:
        return Cause.KNOCK, f"the camera's movement check; {told}"
    if sharp <= SOFT:
        return (Cause.FOG if pale <= PALE else Cause.FOCUS), told
    return _by_colour(window, grey, pale, plant, picture), f"{told}, the picture {picture:+.0%}"


def _by_colour(window: DriftWindow, grey: float, pale: float, plant: float, picture: float) -> Cause:
    """Of a picture that is as sharp as before."""
    plant_blue = _tint(window, "plant.blue_by_green")
    if window.scores.get("flicker", 0.0) >= UNSTEADY or (abs(grey) >= LIT and abs(grey) > abs(pale)):
        return Cause.EXPOSURE
    if pale <= PALE and plant_blue > TINTED:
        return Cause.DUST
    if abs(grey) >= LIT:
        return Cause.EXPOSURE
    if max(abs(plant), abs(plant_blue)) < TINTED:
        return Cause.KNOCK if _found_otherwise(window) else Cause.UNKNOWN
    if abs(picture) >= SAME_LIGHT * abs(plant):
        return Cause.LIGHT
    return Cause.YELLOWING if plant > 0 > plant_blue else Cause.VARIETY


def _found_otherwise(window: DriftWindow) -> bool:
    """Colour and sharpness are as before, and other things are found: the camera looks elsewhere."""
    return any(abs(score) >= -SOFT for name, score in window.scores.items() if name.startswith(("count.", "features")))


def _tint(window: DriftWindow, name: str) -> float:
    """By which share a ratio of colours has moved."""
    change, moments = window.changes.get(name, 0.0), window.sums.moments.get(name)
    before = moments.mean - change if moments else 1.0
    return change / before if before > 0 else 0.0


def attribute(
    alarming: Mapping[CameraName, DriftWindow],
    cameras_of_site: Mapping[str, int],
    moved: frozenset[CameraName] = frozenset(),
    new_model: frozenset[CameraName] = frozenset(),
) -> list[Attribution]:
    """Give each alarming camera of a day a cause.

    Args:
        alarming: their windows of the day.
        cameras_of_site: how many cameras each site has that were seen on that day.
        moved: cameras whose movement check has spoken.
        new_model: cameras that measure with another model than the day before.
    """
    if len(new_model & alarming.keys()) >= max(MIN_TOGETHER, MOST_OF_SITE * len(new_model)):
        by_model = tuple(sorted(new_model & alarming.keys()))
        told = f"{len(by_model)} of the {len(new_model)} cameras that took the model"
        rest = {camera: window for camera, window in alarming.items() if camera not in new_model}
        return [Attribution(Cause.MODEL, by_model, told), *attribute(rest, cameras_of_site, moved)]
    if _everywhere({site for site, _, _ in alarming}, alarming, cameras_of_site):
        return [Attribution(Cause.SEASON, tuple(sorted(alarming)), f"{len(alarming)} cameras of several sites")]
    found = []
    for site in sorted({site for site, _, _ in alarming}):
        here = {camera: window for camera, window in alarming.items() if camera[0] == site}
        found += _of_site(here, cameras_of_site.get(site, 1), moved)
    return found


def _of_site(here: Mapping[CameraName, DriftWindow], cameras: int, moved: frozenset[CameraName]) -> list[Attribution]:
    """Most of a site at once is the light, whatever each camera alone makes of it."""
    if len(here) >= max(MIN_TOGETHER, MOST_OF_SITE * cameras) and not moved & here.keys():
        return [Attribution(Cause.LIGHT, tuple(sorted(here)), f"{len(here)} of the site's {cameras} cameras at once")]
    return [
        Attribution(cause, (camera,), told)
        for camera, window in sorted(here.items())
        for cause, told in [seen_by(window, moved=camera in moved)]
    ]


def _everywhere(
    sites: set[str], alarming: Mapping[CameraName, DriftWindow], cameras_of_site: Mapping[str, int]
) -> bool:
    if len(sites) < MIN_TOGETHER:
        return False
    counts: Sequence[tuple[int, int]] = [
        (sum(camera[0] == site for camera in alarming), cameras_of_site.get(site, 1)) for site in sites
    ]
    return all(alarmed >= MOST_OF_SITE * there for alarmed, there in counts)
