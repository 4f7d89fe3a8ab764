"""The shapes of rollouts in the API."""

from datetime import datetime

from pydantic import BaseModel, Field

from edge.contract.control import Failure, ModelRef, Phase
from fleet.rollouts.plan import Plan
from fleet.rollouts.rollout import Standing, State


class WaveStanding(BaseModel):
    """A wave, with how far it is."""

    number: int = Field(description="From 1.")
    name: str
    selects: str = Field(description="Which devices it takes, in words.", examples=["up to 10 % of site north"])
    state: str = Field(examples=["under way"])
    devices: int
    needed: int = Field(description="So many must have ended before shares mean anything.")
    executed: int = Field(description="So many have.")
    away: int = Field(description="Offline, or held by a technician: they hold nobody up.")
    counts: dict[Standing, int]
    failures: dict[Failure, int]
    soak_s: float
    soaked_s: float | None = Field(description="null: it does not soak now.")


class RolloutDevice(BaseModel):
    """A device in a rollout."""

    device: str = Field(description="`site/device`.")
    hardware: str | None
    online: bool
    held: bool
    wave: int
    version: str = Field(description="That it is to run.")
    standing: Standing
    phase: Phase | None
    progress: float | None
    failure: Failure | None
    reason: str
    previous: str | None
    active: str | None
    confirmed_at: datetime | None


class Shadow(BaseModel):
    """How a model differs from the one in force on live pictures: all devices' histograms, added up."""

    version: str
    devices: int
    pictures: int
    count_bins: list[int]
    area_bins: list[int]
    class_bins: list[int]


class RolloutSummary(BaseModel):
    """A rollout without its devices."""

    id: str
    state: State
    reason: str
    models: list[ModelRef]
    created_at: datetime
    changed_at: datetime
    wave: int = Field(description="The one that is under way, from 1.")
    says: str = Field(description="What it waits for, or how it ended, in words.")
    waves: list[WaveStanding]
    counts: dict[Standing, int]
    shadows: list[Shadow]
    plan: Plan


class RolloutDetail(RolloutSummary):
    """A rollout with its devices."""

    devices: list[RolloutDevice]


class SampleOf(BaseModel):
    """The readings of one trait in one arm: the mean of each device, and how many readings there were."""

    means: list[float]
    observations: int


class DifferenceOf(BaseModel):
    """B less A: the shift (Hodges-Lehmann), its 95 % interval if there are devices enough, and the two-sided p of U."""

    median_a: float
    median_b: float
    shift: float
    low: float | None
    high: float | None
    p: float


class ComparedTrait(BaseModel):
    """One trait, A against B."""

    trait: str
    unit: str | None
    a: SampleOf
    b: SampleOf
    difference: DifferenceOf | None
    differs: bool = Field(description="Whether the interval leaves out zero.")


class Comparison(BaseModel):
    """The two arms of a rollout over one period that all of their devices share."""

    versions: list[str]
    since: datetime
    devices: list[int]
    left_out: int
    traits: list[ComparedTrait]
