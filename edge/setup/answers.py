"""What a technician has answered so far, kept beside the configuration until the setup is done."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.disk import write_whole
from edge.errors import ConfigError

MAX_BYTES = 100_000


class Answers(BaseModel):
    """Each answer as it was typed; None is not yet answered.

    A camera's address may hold a password, so the file is the user's alone.
    """

    model_config = ConfigDict(extra="ignore")

    camera: str | None = None
    name: str | None = None
    model: str | None = None
    plots: str | None = None
    interval: str | None = None
    site: str | None = None
    device: str | None = None
    fleet: str | None = None
    broker: str | None = None


def answers_path(config: Path) -> Path:
    """Where the answers to a configuration's setup lie."""
    return config.with_name(f".{config.name}.setup")


def read_answers(config: Path) -> Answers:
    """What was answered before; nothing if that cannot be read."""
    try:
        with answers_path(config).open("rb") as file:
            return Answers.model_validate_json(file.read(MAX_BYTES))
    except (OSError, ValidationError):
        return Answers()


def keep_answers(config: Path, answers: Answers) -> None:
    """Keep them for the next time.

    Raises:
        ConfigError: the folder cannot be written to, which the configuration needs too.
    """
    path = answers_path(config)
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        before = os.umask(0o077)
        try:
            write_whole(path, answers.model_dump_json(exclude_none=True).encode())
        finally:
            os.umask(before)
    except OSError as error:
        raise ConfigError(
            f"cannot write to {config.parent}: {error}; use sudo, or name another file with --config"
        ) from error


def forget_answers(config: Path) -> None:
    """The setup is done."""
    answers_path(config).unlink(missing_ok=True)
