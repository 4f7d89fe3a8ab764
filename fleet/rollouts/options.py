"""A rollout's plan from a command's options, for plans that are short enough to say in one line."""

import re
from typing import Any

from fleet.errors import PlanError

_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


def seconds(spoken: str) -> float:
    """``90s``, ``30min``, ``6h``, ``2d``; a number alone is seconds.

    Raises:
        PlanError: it is none of these.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*(s|min|h|d)?", spoken)
    if not match:
        raise PlanError(f"{spoken!r} is no time; say 90s, 30min, 6h or 2d")
    return float(match[1]) * _UNITS_S[match[2] or "s"]


def waves(
    percentages: str, canary: list[str], soak: str, min_executed: int, success: float, errors: float
) -> list[dict[str, Any]]:
    """Waves as plain data: one of all devices with a ``canary`` tag, if any is named, then one for each percentage.

    Raises:
        PlanError: the percentages are none.
    """
    try:
        shares = [float(part.strip().removesuffix("%")) for part in percentages.split(",")]
    except ValueError as error:
        raise PlanError(f"{percentages!r} are no waves; give percentages, as 5,25,100") from error
    shared = {
        "soak_s": seconds(soak),
        "min_executed": min_executed,
        "success_threshold": success / 100,
        "errors": {"any": errors / 100},
    }
    first = [{"name": "canaries", "select": {"tags": canary}, **shared}] if canary else []
    return [*first, *({"percent": share, **shared} for share in shares)]


def window(spoken: str | None, *, night: bool) -> dict[str, Any] | None:
    """``22:00-05:00`` as plain data; the whole day if only ``night`` is asked for.

    Raises:
        PlanError: it is no window.
    """
    if spoken is None and not night:
        return None
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", spoken or "00:00-00:00")
    if not match:
        raise PlanError(f"{spoken!r} is no window; say 22:00-05:00")
    begin, begin_minute, end, end_minute = map(int, match.groups())
    return {"start_minute": 60 * begin + begin_minute, "end_minute": 60 * end + end_minute, "daylight": not night}
