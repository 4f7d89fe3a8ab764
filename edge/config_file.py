"""The configuration file under a technician's hands: changed as a whole or not at all, and changed back."""

import os
import shutil
from pathlib import Path
from typing import Any

from edge.disk import flush
from edge.errors import ConfigError
from edge.settings import DeviceSettings, settings_of
from edge.settings.edit import with_value

SECRET = ("mqtt.password",)


def before_path(config: Path) -> Path:
    """Where the file lies as it was before the last change."""
    config = config.resolve()
    return config.with_name(f".{config.name}.before")


def change(config: Path, path: str, value: Any) -> DeviceSettings:
    """Put a value into the file; the settings that come of it.

    Raises:
        ConfigError: the file would be wrong with it, or cannot be written; it is as it was.
    """
    if path in SECRET:
        raise ConfigError(
            f"{path} would stand in a file that people copy; put CANOPY_MQTT_PASSWORD into the service's environment: "
            "systemctl edit canopy"
        )
    text = read(config)
    changed = with_value(text, path, value)
    settings = settings_of(changed, config, path)
    replace(config, changed)
    return settings


def undo(config: Path) -> DeviceSettings:
    """Change back; once more brings the change again.

    Raises:
        ConfigError: nothing was changed yet, or the file as it was is wrong by now.
    """
    former = before_path(config)
    if not former.exists():
        raise ConfigError(f"nothing is to be undone: {config} was not changed by canopy config set yet")
    text = read(former)
    settings = settings_of(text, config)
    replace(config, text)
    return settings


def read(path: Path) -> str:
    """A configuration file's text.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}; name an existing YAML file with --config") from error


def replace(config: Path, text: str) -> None:
    """Put the text under the file's name, with its rights, and keep what was there for ``undo``.

    Raises:
        ConfigError: it cannot be written; the file is as it was.
    """
    config = config.resolve()  # a link stays one
    fresh, former = config.with_name(f".{config.name}.fresh"), before_path(config)
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if config.exists():
            shutil.copystat(config, fresh)
            status = config.stat()
            os.chown(fresh, status.st_uid, status.st_gid)
            aside = former.with_name(f"{former.name}.fresh")
            shutil.copy2(config, aside)
            aside.replace(former)
        fresh.replace(config)
        flush(config.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {config}: {error}; use sudo, and see to the disk") from error
