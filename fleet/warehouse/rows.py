"""Observations as flat rows: one for each value, and one without a value where there is none."""

from collections.abc import Collection, Iterator
from typing import Any

Row = dict[str, Any]

COLUMNS = (
    "site", "device", "camera", "plot", "crop", "taken_at", "captured_at", "clock_ok", "received_at", "outcome",
    "quality", "trait", "value", "unit", "uncertainty", "method", "model", "calibration", "error", "frame_id", "epoch",
    "seq",
)  # fmt: skip
"""In this order. (site, device, epoch, seq, trait, method) names a row for ever."""

_OF_THE_VALUE = ("trait", "value", "unit", "uncertainty", "method")


def flat(observation: Row, traits: Collection[str] | None = None) -> Iterator[Row]:
    """The rows of one observation; with ``traits`` those of these traits, and the one of an observation without any."""
    shared = {name: observation[name] for name in COLUMNS if name not in _OF_THE_VALUE}
    shared["quality"] = [flag for flag in observation["quality"] if flag is not None]
    for value in observation["traits"]:
        if traits is None or value["trait"] in traits:
            yield {**shared, **{name: value[name] for name in _OF_THE_VALUE}}
    if not observation["traits"]:
        yield {**shared, **dict.fromkeys(_OF_THE_VALUE)}
