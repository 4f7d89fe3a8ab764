"""What every group of settings has in common."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ConfigError

SECRETS = ("password", "url", "pipeline", "command")
"""Settings whose values are never shown."""


NO_SUCH = "there is no such setting; see configs/device.yaml"


class Settings(BaseModel):
    """A group of settings: unknown keys are errors, so a typing mistake never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Group = TypeVar("Group", bound=Settings)

Fraction = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Fraction, Fraction]


def checked(kind: type[Group], values: dict[str, Any], source: str) -> Group:
    """A group of settings from what ``source`` gives.

    Raises:
        ConfigError: a value is wrong; each is named, with what is allowed.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source} cannot be used:\n{_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    """One line for each wrong value: where it stands, what is wrong, and what was found."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"]) or "file"
        hidden = problem["type"] == "missing" or place.rstrip(".0123456789").endswith(SECRETS)
        found = "" if hidden else f" (found {problem['input']!r:.80})"
        what = NO_SUCH if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"  {place}: {what}{found}")
    return "\n".join(lines)
