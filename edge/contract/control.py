"""What the fleet wants of a device, and what the device says became of it: two retained messages."""

from enum import Enum
from typing import Annotated

from pydantic import Field

from edge.contract.message import Count, Digest, Instant, Label, Message, Name, Text, Wire, open_enum

Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$", max_length=64)]
"""Version of a model: major.minor.patch."""


def numbers(version: str) -> tuple[int, ...]:
    """A version in the order of versions: 0.10.0 comes after 0.9.0."""
    return tuple(int(part) for part in version.split("."))


TargetPath = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
"""A file of the update repository: ``{hardware}/{name}-{version}.zip``. Each hardware has a role of its own there."""

Bins = Annotated[tuple[Count, ...], Field(max_length=64)]
"""How often a difference fell into each bin of a histogram."""


SettingPath = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[A-Za-z0-9][A-Za-z0-9_-]{0,63}){0,5}$", max_length=256)]
"""Where a setting stands in the device's configuration: ``cameras.top.interval_s``; a camera stands under its name."""

Setting = bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | float | Annotated[str, Field(max_length=256)] | None
"""What a setting can be, as in the YAML file."""


class Phase(str, Enum):
    """Where an update stands. ``confirmed``, ``rolled_back`` and ``refused`` are ends."""

    IDLE = "idle"
    DOWNLOADING = "downloading"
    STAGED = "staged"
    COMPILING = "compiling"
    TESTING = "testing"
    SHADOW = "shadow"
    ACTIVE = "active"
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"


class Failure(str, Enum):
    """Why an update ended without a confirmed model."""

    FAILED = "failed"
    """It could not be carried out: no network, no room, a build that broke."""
    REJECTED = "rejected"
    """It was carried out and not believed: the signature, the self-test, the shadow run."""
    TIMED_OUT = "timed_out"
    """It did not end in the time that it was given."""
    ROLLED_BACK = "rolled_back"
    """It ran, and the device went back to the model before."""


class ModelRef(Wire):
    """One model package; ``digest`` is that of its manifest, which vouches for all of its files."""

    name: Name
    version: Version
    digest: Digest


class Release(Wire):
    """What the update repository says, under signature, of a package: the ``custom`` of a TUF target.

    ``needs_bytes`` is the room that it takes on the device beside the download: unpacked, compiled, tested.
    """

    model: ModelRef
    hardware: Name
    needs_bytes: Count = 0


class Window(Wire):
    """When a device may switch: from ``start_minute`` to ``end_minute`` of its local day, over midnight if they say so.

    ``daylight`` false adds: not while its cameras see enough light to measure.
    """

    start_minute: Annotated[int, Field(ge=0, lt=1440)] = 0
    end_minute: Annotated[int, Field(ge=0, lt=1440)] = 0
    daylight: bool = True


class Wanted(Wire):
    """A model that the device shall run, and how it shall be taken up."""

    model: ModelRef
    target: TargetPath
    rollout: Label | None = None
    window: Window | None = None
    give_up_after_s: Annotated[float, Field(gt=0, le=90 * 86_400)] = 86_400.0
    retry: bool = False
    """Try it although this version was refused before: somebody says that the cause is gone."""
    may_disagree: bool = False
    """It was made because the model in force errs on what cameras show now, and has been measured there: that the two
    disagree is no objection. To be blind still is."""


class Desired(Message):
    """Fleet → device. ``revision`` rises with every change; without ``wanted`` the device keeps what it runs.

    ``roll_back`` asks for the model before the one in force, from the other slot, without a download. Together with
    ``wanted`` it names that model: a device that runs it already has nothing to do, one that holds it in the other slot
    or from the factory takes it from there, and any other takes it up as an update.
    """

    revision: Count
    wanted: Wanted | None = None
    roll_back: bool = False
    settings: Annotated[dict[SettingPath, Setting], Field(max_length=64)] = Field(default_factory=dict)
    """All that the fleet wants otherwise than the device's own file has it; the rest stays as the file says."""


class ShadowReport(Wire):
    """How a candidate differs from the model in force on the same live pictures.

    ``count_bins``: the candidate's count less the active one's, seventeen bins from -8 (or less) to 8 (or more).
    ``area_bins``: logarithm to base 2 of the ratio of plant areas, seventeen bins from -2 to 2. ``class_bins``: share
    of cells to which both give the same class, ten bins from 0 to 1. ``agreed``: pictures on which count, area and
    class map all lay within the device's limits.
    """

    model: ModelRef
    pictures: Count = 0
    agreed: Count = 0
    count_bins: Bins = ()
    area_bins: Bins = ()
    class_bins: Bins = ()


class Reported(Message):
    """Device → fleet. ``revision`` is that of the ``desired`` that it answers, 0 before any.

    ``active`` is what runs, ``fallback`` what the other slot holds and a rollback would bring back.
    """

    at: Instant
    boot_id: Label
    revision: Count = 0
    hardware: Name
    phase: Annotated[Phase | None, open_enum(Phase)] = Phase.IDLE
    active: ModelRef | None = None
    fallback: ModelRef | None = None
    wanted: ModelRef | None = None
    rollout: Label | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    failure: Annotated[Failure | None, open_enum(Failure)] = None
    reason: Text = ""
    held: bool = False
    """A technician holds updates on the device."""
    shadow: ShadowReport | None = None
    settings: Annotated[dict[SettingPath, Setting], Field(max_length=256)] = Field(default_factory=dict)
    """The settings in force of those that the fleet may change."""
    settings_refused: Annotated[dict[SettingPath, Text], Field(max_length=64)] = Field(default_factory=dict)
    """What was wanted and is not done, each with the reason."""
