"""What a training run is given: one YAML file, checked as a whole."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ConfigError
from training.loss import LossWeights
from training.network import NetworkSettings

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SceneSettings(_Settings):
    """Rendered scenes. Held-back ones have seeds of their own, so no scene is in both."""

    count: Count = 4000
    seed: Annotated[int, Field(ge=0)] = 0
    held_back: Count = 200
    held_back_seed: Annotated[int, Field(ge=0)] = 1_000_000
    size_px: Annotated[int, Field(ge=64, le=4096, multiple_of=32)] = 512


class AugmentationSettings(_Settings):
    """How a scene is varied each time it is seen."""

    crop_px: Annotated[int, Field(ge=64, le=4096, multiple_of=32)] = 320
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
    scenes: SceneSettings = SceneSettings()
    network: NetworkSettings = NetworkSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    loss: LossWeights = LossWeights()
    steps: Count = 6000
    minutes: Annotated[float, Field(gt=0)] | None = None
    batch: Count = 16
    workers: Annotated[int, Field(ge=0)] = 1
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warm_up: Fraction = 0.05
    average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    check_every: Count = 500
    top_k: Annotated[int, Field(ge=1, le=4096)] = 512


def load_settings(path: Path) -> FitSettings:
    """Read a run's settings.

    Raises:
        ConfigError: the file cannot be read, or a value in it cannot be used.
    """
    try:
        return FitSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path} cannot be used: {error}") from error
