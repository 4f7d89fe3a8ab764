"""Which file of the service lies where. Pure: nothing here touches the machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

SERVICE: Final = "canopy.service"

PLACES: Final[Mapping[str, str]] = {
    SERVICE: "etc/systemd/system/canopy.service",
    "canopy-sysusers.conf": "etc/sysusers.d/canopy.conf",
    "canopy-journald.conf": "etc/systemd/journald.conf.d/canopy.conf",
}
DROP_IN: Final = "etc/systemd/system/canopy.service.d/10-installed.conf"


@dataclass(frozen=True, slots=True)
class Placed:
    """A file of the service: where it belongs, below the root, and its content."""

    place: str
    content: str


def wanted_files(executable: Path, config: Path, folders: tuple[Path, ...] = ()) -> list[Placed]:
    """Every file of the service.

    Args:
        executable: the ``canopy`` that systemd is to run.
        config: its configuration.
        folders: what it writes to besides /var/lib/canopy, like a disk of its own for the database.
    """
    units = files("edge.service") / "units"
    shipped = [Placed(place, (units / name).read_text(encoding="utf-8")) for name, place in PLACES.items()]
    return [*shipped, Placed(DROP_IN, _drop_in(executable, config, folders))]


def _drop_in(executable: Path, config: Path, folders: tuple[Path, ...]) -> str:
    lines = [
        "# Written by canopy service install: what is particular to this machine.",
        "[Unit]",
        *(f"RequiresMountsFor={_quoted(folder)}" for folder in folders),
        "[Service]",
        "ExecStart=",
        f"ExecStart={_quoted(executable)} run --config {_quoted(config)}",
        *(f"ReadWritePaths=-{_quoted(folder)}" for folder in folders),
    ]
    return "\n".join([*lines, ""])


def _quoted(path: Path) -> str:
    """As systemd.syntax(7) reads it: ``%`` begins a specifier, and quotes keep spaces."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if any(character in text for character in ' "\\') else text
