"""Two models on the same labelled pictures: what the exporter measured, and what the fleet's gate is shown."""

from typing import Annotated

from pydantic import Field, model_validator

from edge.contract.control import ModelRef
from edge.contract.message import Count, Digest, Instant, Label, Message, Name, Wire

BENCHMARK, DRIFTED, SITE = "benchmark", "drifted", "site:"
"""Names of slices: pictures that never change, those of cameras that drifted, and ``site:NAME`` for a site's own."""

OVERLAP, COUNT_ERROR = "mean_iou", "_count_mae"
"""A metric that is better when it is larger, and how the names of those end that are better when they are smaller."""

MAX_SLICES = 1_000
MAX_FILE_BYTES = 10_000_000

Metrics = Annotated[dict[Label, float], Field(max_length=64)]


class Slice(Wire):
    """Some of the pictures. ``data`` vouches for pictures and labels; none of them was trained or calibrated on."""

    name: Annotated[str, Field(pattern=r"^(benchmark|drifted|site:[A-Za-z0-9][A-Za-z0-9_.-]{0,63})$")]
    data: Digest
    pictures: Count
    champion: Metrics
    candidate: Metrics


class Comparison(Message):
    """What two packages give on each slice, read by the device's own decoder. ``runs_on``: the runtimes they had."""

    champion: ModelRef
    candidate: ModelRef
    made_at: Instant
    runs_on: tuple[Label, Label] = ("", "")
    slices: Annotated[tuple[Slice, ...], Field(max_length=MAX_SLICES)]

    @model_validator(mode="after")
    def _each_once(self) -> "Comparison":
        names = [each.name for each in self.slices]
        if len(set(names)) < len(names):
            raise ValueError("a slice stands there twice")
        return self

    def slice(self, name: str) -> Slice | None:
        """A slice by its name."""
        return next((each for each in self.slices if each.name == name), None)


def shown_metrics(part: Slice) -> list[str]:
    """Those that a gate goes by: overlap, and how far off each count is; as far as the champion could be measured."""
    return [name for name in sorted(part.champion) if name == OVERLAP or name.endswith(COUNT_ERROR)]


def of_site(site: Name) -> str:
    """The name of a site's slice."""
    return f"{SITE}{site}"
