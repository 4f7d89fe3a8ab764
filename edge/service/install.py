"""Puts the service in its place on a machine, and takes it away. Done twice, it changes nothing the second time."""

import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from edge.errors import ConfigError
from edge.service.places import DROP_IN, PLACES, SERVICE, Placed

RUNNING_SYSTEMD: Final = Path("run/systemd/system")
COMMAND_TIMEOUT_S: Final = 60.0
ASKED: Final = ("LoadState", "UnitFileState", "ActiveState", "SubState", "NRestarts", "Result", "WatchdogUSec")

Tell = Callable[[str], None]
"""Told of each thing that is done, before the next."""


def install(files: Iterable[Placed], root: Path, tell: Tell) -> bool:
    """Write what is not there yet or is different; whether anything changed.

    With ``root`` the machine's own, the user is made and the service enabled and started.

    Raises:
        ConfigError: a file cannot be written, or systemd refuses.
    """
    changed = [_write(root / placed.place, placed.content, tell) for placed in files]
    if _is_this_machine(root):
        _run(["systemd-sysusers"], tell)
        _run(["systemctl", "daemon-reload"], tell)
        if any(changed):
            _run(["systemctl", "restart", "systemd-journald"], tell)
        _run(["systemctl", "enable", SERVICE], tell)
        _run(["systemctl", "restart" if any(changed) else "start", SERVICE], tell)
    else:
        tell("systemd does not run here: enable it on the machine with systemctl enable --now canopy")
    return any(changed)


def uninstall(root: Path, tell: Tell) -> bool:
    """Stop the service and take its files away; whether there were any. Readings, configuration and user stay.

    Raises:
        ConfigError: a file cannot be removed, or systemd refuses.
    """
    there = [root / place for place in (*PLACES.values(), DROP_IN) if (root / place).exists()]
    if there and _is_this_machine(root):
        _run(["systemctl", "disable", "--now", SERVICE], tell)
    for path in there:
        try:
            path.unlink()
        except OSError as error:
            raise ConfigError(f"cannot remove {path}: {error}; run it as root") from error
        tell(f"removed {path}")
    if there and _is_this_machine(root):
        _run(["systemctl", "daemon-reload"], tell)
    tell("readings in the state directory, the configuration and the user canopy stay")
    return bool(there)


def state(files: Iterable[Placed], root: Path) -> dict[str, str]:
    """Each file's place with how it stands, and what systemd says of the service."""
    found = {str(root / placed.place): _standing(root / placed.place, placed.content) for placed in files}
    if _is_this_machine(root):
        asked = _run(["systemctl", "show", SERVICE, f"--property={','.join(ASKED)}"], lambda _: None)
        found |= dict(line.split("=", 1) for line in asked.splitlines() if "=" in line)
    return found


def _standing(path: Path, content: str) -> str:
    try:
        return "as shipped" if path.read_text(encoding="utf-8") == content else "changed"
    except OSError:
        return "not installed"


def _write(path: Path, content: str, tell: Tell) -> bool:
    if _standing(path, content) == "as shipped":
        tell(f"unchanged {path}")
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error}; run it as root") from error
    tell(f"wrote {path}")
    return True


def _is_this_machine(root: Path) -> bool:
    return root == Path("/") and (root / RUNNING_SYSTEMD).is_dir()


def _run(command: list[str], tell: Tell) -> str:
    name = shutil.which(command[0])
    if name is None:
        raise ConfigError(f"{command[0]} is not installed; the service needs systemd")
    tell(" ".join(command))
    done = subprocess.run(  # noqa: S603
        [name, *command[1:]], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise ConfigError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}; run it as root")
    return done.stdout
