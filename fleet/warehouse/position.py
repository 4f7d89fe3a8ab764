"""Where an export stands: which numbers of which device's stream are in it, beside the data, so that it goes on there.

Numbers, not times, say what is new. A device that was away for a week brings old readings under new numbers; by time
they would lie behind the export and be lost. A number is *settled* when its record is stored or told dropped; what is
settled and not yet done is the next run's, however old it is. So nothing is lost and nothing comes twice.

A run is written down as planned before anything is written, and as done after everything is. One that was killed is
done again with the same numbers into the same files.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fleet.errors import NotPossible
from fleet.ingest.spans import Spans

FILE = "_canopy.json"
"""Engines leave out files that begin with an underscore."""

Numbers = dict[str, Spans]
"""Runs of numbers of each stream, under ``site/device/epoch``."""


class Choice(BaseModel):
    """What an export holds; it is the same for all of its runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    columns: int
    sites: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    choice: Choice
    run: int
    done: dict[str, tuple[tuple[int, int], ...]]
    planned: dict[str, tuple[tuple[int, int], ...]] | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """After ``run`` runs, ``done`` is in the export; ``planned`` is being added by a run that has not ended."""

    choice: Choice
    run: int = 0
    done: Mapping[str, Spans] = field(default_factory=dict)
    planned: Mapping[str, Spans] | None = None


def read_position(folder: Path, choice: Choice) -> Position:
    """Where the export in ``folder`` stands; at its beginning if there is none.

    Raises:
        NotPossible: there is one that holds something else, or what is there is no export.
    """
    path = folder / FILE
    if not path.exists():
        if folder.exists() and any(not one.name.startswith("_") for one in folder.iterdir()):
            raise NotPossible(f"{folder} is not empty and no export of Canopy; name a new folder")
        return Position(choice)
    try:
        found = _Content.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise NotPossible(f"{path} cannot be read, so nobody knows what {folder} holds; name a new folder") from error
    if found.choice != choice:
        raise NotPossible(
            f"{folder} holds {_words(found.choice)}, not {_words(choice)}; ask for the same, or name a new folder"
        )
    return Position(found.choice, found.run, found.done, found.planned)


def save_position(folder: Path, position: Position) -> None:
    """Write it down, in one piece and on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{FILE}.draft"
    content: dict[str, Any] = {
        "choice": position.choice.model_dump(mode="json"),
        "run": position.run,
        "done": position.done,
        "planned": position.planned,
    }
    with draft.open("w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / FILE)


def _words(choice: Choice) -> str:
    sites = f" of {', '.join(choice.sites)}" if choice.sites else ""
    since = f" from {choice.since.isoformat()}" if choice.since else ""
    until = f" until {choice.until.isoformat()}" if choice.until else ""
    return f"{choice.kind}{sites}{since}{until}"
