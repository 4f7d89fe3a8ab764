"""What a training run is given: one YAML file, checked as a whole."""

import re
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge.errors import ConfigError
from training.loss import LossWeights
from training.network import SIZES, Network, NetworkSettings
from training.spec import ModelSpec
from training.synthetic import RENDERERS

Count = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=64, le=4096, multiple_of=32)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SceneSettings(_Settings):
    """Rendered scenes. Held-back ones have seeds of their own, so no scene is in both."""

    renderer: Annotated[str, Field(description="a name in training.synthetic.RENDERERS")]
    count: Count = 4000
    seed: Annotated[int, Field(ge=0)] = 0
    held_back: Count = 200
    held_back_seed: Annotated[int, Field(ge=0)] = 1_000_000
    size_px: Side = 512


class DataSettings(_Settings):
    """How photographs are read and split; where they are is said on the command line.

    Attributes:
        things: the thing that each of the dataset's categories is, where their names differ.
        group: a regular expression; what its first group finds in a file's name is where the picture comes from (a
            greenhouse, a camera, a plant); no such place is on both sides of a split. Without one it is the folder.
        block: where the expression finds a number, so many neighbouring numbers are one place.
        held_back: share of the places that is kept out of training.
        share: how many of the pictures that training sees are photographs, where it sees rendered ones as well.
    """

    things: dict[str, str] = {}
    group: str | None = None
    block: Count | None = None
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.2
    share: Fraction = 0.5

    @field_validator("group")
    @classmethod
    def _has_a_group(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and re.compile(pattern).groups < 1:
                raise ValueError(f"{pattern!r} has no group: put what names the place into brackets")
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern


class AugmentationSettings(_Settings):
    """How a picture is varied each time it is seen; ``turned`` by quarters, for cameras that look straight down."""

    crop_px: Side = 320
    turned: bool = True
    least_zoom: Annotated[float, Field(gt=0)] = 0.6
    most_zoom: Annotated[float, Field(gt=0)] = 1.6
    gain: Fraction = 0.25
    white_balance: Fraction = 0.12
    gamma: Fraction = 0.3
    saturation: Fraction = 0.35
    noise: Fraction = 0.02


class FitSettings(_Settings):
    """A training run."""

    seed: int = 0
    model: ModelSpec
    scenes: SceneSettings | None = None
    data: DataSettings = DataSettings()
    network: NetworkSettings = NetworkSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    loss: LossWeights = LossWeights()
    steps: Count = 6000
    minutes: Annotated[float, Field(gt=0)] | None = None
    batch: Count = 16
    workers: Annotated[int, Field(ge=0)] = 1
    devices: Annotated[Count, Field(description="GPUs, or processes on a CPU; each sees a batch of its own")] = 1
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warm_up: Fraction = 0.05
    average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    retain: Annotated[Fraction, Field(description="of the weights that --init begins from, in what is kept")] = 0
    check_every: Count = 500
    patience: Annotated[Count | None, Field(description="checks without a gain after which it ends")] = None
    quantized: Annotated[bool, Field(description="learn with the rounding of INT8; begin from a good network")] = False
    top_k: Annotated[int, Field(ge=1, le=4096)] = 512
    size_px: Side = 512

    @field_validator("network", mode="before")
    @classmethod
    def _by_name(cls, network: object) -> object:
        if not isinstance(network, str):
            return network
        if network not in SIZES:
            raise ValueError(f"{network!r} is none of {', '.join(SIZES)}; name one of them or give widths and depths")
        return SIZES[network]

    @model_validator(mode="after")
    def _renders_what_it_counts(self) -> "FitSettings":
        if self.scenes is None:
            return self
        renderer = RENDERERS.get(self.scenes.renderer)
        if renderer is None:
            raise ValueError(f"scenes.renderer: {self.scenes.renderer!r} is none of {', '.join(RENDERERS)}")
        if (self.model.classes, self.model.thing_names) != (renderer.classes, renderer.things):
            raise ValueError(
                f"the model has classes {list(self.model.classes)} and things {list(self.model.thing_names)}, but "
                f"{self.scenes.renderer} scenes have {list(renderer.classes)} and {list(renderer.things)}"
            )
        return self


def load_settings(path: Path, start: Network | None = None) -> FitSettings:
    """Read a run's settings. A run that begins from ``start`` has its size, and its model unless the file has one.

    Raises:
        ConfigError: the file cannot be read, or a value in it cannot be used.
    """
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if start is not None and isinstance(held, dict):
            held = {"model": start.spec.model_dump()} | held | {"network": start.settings.model_dump()}
        return FitSettings.model_validate(held)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path} cannot be used: {error}") from error
