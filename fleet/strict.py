"""What every group of settings has in common."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A group of settings: unknown keys are errors, so a typing mistake never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)
