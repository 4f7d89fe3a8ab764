"""How complete the last hours are, as the pages show it."""

from collections.abc import Sequence
from typing import Any

from fleet.pages.wording import count_text
from fleet.questions.completeness import Hour

Document = dict[str, Any]


def drawn(hours: Sequence[Hour]) -> list[Document]:
    """Each hour with its colour and what it says."""
    return [{"hour": hour.hour, "state": _state(hour), "says": _says(hour)} for hour in hours]


def totals(hours: Sequence[Hour]) -> dict[str, int]:
    """All hours together."""
    return {kind: sum(getattr(hour, kind) for hour in hours) for kind in ("received", "missing", "dropped")}


def share(total: dict[str, int]) -> str:
    """How much of what is known of has arrived: ``99.8 %``; never 100 while something is missing."""
    known = sum(total.values())
    if not known:
        return "–"
    percent = 100 * total["received"] / known
    shown = min(percent, 99.9) if total["received"] < known else percent
    return f"{shown:.1f} %" if shown < 100 else "100 %"


def _state(hour: Hour) -> str:
    if hour.missing:
        return "missing"
    if hour.dropped or hour.epoch_breaks:
        return "dropped"
    return "complete" if hour.received else "empty"


def _says(hour: Hour) -> str:
    parts = [f"{count_text(hour.received)} received"] if hour.received else []
    parts += [f"{count_text(hour.missing)} missing"] if hour.missing else []
    parts += [f"{count_text(hour.dropped)} dropped"] if hour.dropped else []
    parts += ["began to count anew"] if hour.epoch_breaks else []
    return ", ".join(parts) or "nothing"
