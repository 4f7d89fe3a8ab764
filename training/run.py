"""What a run was made of: written beside its checkpoints, compared when it goes on, taken into packages."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edge.contract.message import Digest
from edge.errors import ConfigError
from training.args import FitSettings

RECORD_FILE = "run.json"


class RunRecord(BaseModel):
    """A run's settings, the digest of each dataset by name, the commit of the code, and its number in MLflow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: FitSettings
    data: dict[str, Digest]
    git_commit: str | None = None
    tracked_as: str | None = None

    @property
    def dataset(self) -> Digest:
        """One digest of everything it learned from."""
        lines = "".join(f"{name} {digest}\n" for name, digest in sorted(self.data.items()))
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"

    def write(self, folder: Path) -> None:
        """Write it into a run's folder."""
        (folder / RECORD_FILE).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """Read what ``write`` wrote.

        Raises:
            ConfigError: it is missing or cannot be used.
        """
        try:
            return cls.model_validate_json((folder / RECORD_FILE).read_bytes())
        except (OSError, ValidationError) as error:
            raise ConfigError(f"{folder / RECORD_FILE} cannot be used: {error}") from error

    def check_goes_on(self, begun: "RunRecord", folder: Path) -> None:
        """See that this run is the one that was begun in ``folder``.

        Raises:
            ConfigError: other settings or other data.
        """
        if (self.settings, self.data) != (begun.settings, begun.data):
            raise ConfigError(
                f"{folder} holds a run that was interrupted, with other settings or data; go on with what its "
                f"{RECORD_FILE} says, give --run another folder, or remove it"
            )
