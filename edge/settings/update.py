"""Where new models come from, and what one must prove."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PlainSerializer

from edge.address import public_address
from edge.contract.message import Name
from edge.settings.base import Fraction, Settings


class AgreementSettings(Settings):
    """How near a new model must come to the one in force, on the same pictures of this device's cameras.

    On a picture the two agree if their counts differ by no more than ``count`` or, where there is much to count, by
    ``count_share`` of the larger one, the logarithm to base 2 of the ratio of their plant areas lies within
    ``area_log2``, and ``same_class`` of all cells have one class. They must agree on ``share`` of the pictures.
    """

    count: Annotated[int, Field(ge=0)] = 2
    count_share: Fraction = 0.25
    area_log2: Annotated[float, Field(gt=0)] = 0.75
    same_class: Fraction = 0.85
    share: Fraction = 0.75


class UpdateSettings(Settings):
    """Where new models come from, and what one must prove on this device before it is believed."""

    hardware: Name
    """Names the packages that are for this device, ``{hardware}/{name}-{version}.zip`` in the repository."""
    root: Path
    """The root metadata that the device was given with its software: the anchor of all trust."""
    url: Annotated[str, Field(pattern=r"^https?://"), PlainSerializer(public_address)] | None = None
    """The repository; absent: updates come by ``canopy update import`` only."""
    bytes_per_s: Annotated[float, Field(ge=0)] = 0.0
    """Download no faster; 0 is no limit."""
    reserve_bytes: Annotated[int, Field(ge=0)] = 64 * 2**20
    """What a download leaves free for the device's own records."""

    latency_ms: Annotated[float, Field(gt=0)] = 500.0
    memory_bytes: Annotated[int, Field(ge=2**26)] = 800 * 2**20
    """The most that a process with the model in it may hold."""
    answer_within_s: Annotated[float, Field(gt=0)] = 60.0
    """A model on trial that does not answer for so long is refused."""
    agreement: AgreementSettings = AgreementSettings()
    recent_pictures: Annotated[int, Field(ge=1, le=64)] = 8
    """So many pictures the self-test asks for, each held in memory at the network's input size."""
    recent_every_s: Annotated[float, Field(ge=0)] = 10.0
    """Pictures of a camera that lie nearer together are not kept for it: they would show the same."""

    shadow_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the live pictures that the new model sees, too, before it is switched to."""
    shadow_pictures: Annotated[int, Field(ge=0)] = 20
    shadow_s: Annotated[float, Field(ge=0)] = 300.0
    """It runs in the shadow for as long, and until it has seen as many pictures; ``shadow_pictures`` 0: not at all."""

    probation_s: Annotated[float, Field(ge=0)] = 600.0
    probation_pictures: Annotated[int, Field(ge=1)] = 5
    """It is confirmed when it has measured for as long, and so many pictures."""
    slowdown: Annotated[float, Field(gt=1)] = 3.0
    """In the probation a picture may take so many times what it took before."""
    retry_after_s: Annotated[float, Field(gt=0)] = 600.0
    """When an attempt has failed, or the repository gave no answer, the next one waits for so long."""
