"""How far counts may be off on a camera's day: what its device estimates, and what a shadow run says besides.

Without any truth the error can only be estimated, from how sure the model was of what it found; the model's package
holds how the two hang together, and a package that does not hold it gives no estimate. Where another model counts in
its shadow run, the two cannot both be right: their errors together are at least what lies between their counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from edge.contract.control import ShadowReport
from edge.contract.drift import CountError
from fleet import schema
from fleet.drift.windows import Filed

LEAST_PICTURES = 20


@dataclass(frozen=True, slots=True)
class Apart:
    """By how much a device's two models differ in their counts, on the mean of as many pictures."""

    model: str
    counts: float
    pictures: int


def of_day(windows: Sequence[Filed]) -> dict[str, CountError]:
    """The estimates of one camera's day, by thing: those of its windows together, weighed by their captures.

    The error over all captures is that mean exactly, and the interval no narrower than it must be. A thing that a
    window has no estimate of has none that day.
    """
    parts = [each.window for each in _one_reference(windows)]
    captures = sum(part.sums.captures for part in parts)
    shared = set.intersection(*(set(part.count_errors) for part in parts)) if captures else set()
    return {
        thing: _weighed([(part.count_errors[thing], part.sums.captures / captures) for part in parts])
        for thing in sorted(shared)
    }


def _one_reference(windows: Sequence[Filed]) -> Iterable[Filed]:
    """Each capture once: of a light's windows those against the package's reference, if there are some."""
    rebased = {each.window.band: each for each in windows if each.window.rebased}
    return (rebased | {each.window.band: each for each in windows if not each.window.rebased}).values()


def _weighed(parts: Sequence[tuple[CountError, float]]) -> CountError:
    names = ("error", "low", "high", "found")
    return CountError(**{name: sum(getattr(error, name) * share for error, share in parts) for name in names})


def said(thing: str, error: CountError) -> str:
    """An estimate in words, with its unit and its interval."""
    share = f", {error.error / error.found:.0%} of those found" if error.found else ""
    return f"{thing}: off by about {error.error:.3g} a picture ({error.low:.3g} to {error.high:.3g}){share}"


def apart(connection: Connection, site: str, device: str) -> Apart | None:
    """What a device's last shadow run says; None without one, or with too few pictures to say anything."""
    devices, table = schema.devices, schema.reported
    query = select(table.c.payload).join_from(table, devices, table.c.device_id == devices.c.id)
    payload = connection.execute(query.where(devices.c.site == site, devices.c.device == device)).scalar_one_or_none()
    if not payload or not payload.get("shadow"):
        return None
    shadow = ShadowReport.model_validate(payload["shadow"])
    pictures, middle = sum(shadow.count_bins), len(shadow.count_bins) // 2
    if pictures < LEAST_PICTURES:
        return None
    counts = sum(abs(place - middle) * count for place, count in enumerate(shadow.count_bins)) / pictures
    return Apart(f"{shadow.model.name} {shadow.model.version}", counts, pictures)
