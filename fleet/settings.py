"""The fleet service's configuration: one YAML file, checked as a whole and rejected, never repaired.

``CANOPY_MQTT_USERNAME`` and ``CANOPY_MQTT_PASSWORD`` come from the environment, so that no secret stands in a file that
people copy.
"""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from fleet.errors import ConfigError

MAX_FILE_BYTES = 1_000_000

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 takes a free one."""


def is_loopback(host: str) -> bool:
    """Whether ``host`` can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(BaseModel):
    """A group of settings: unknown keys are errors, so a typing mistake never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MqttSettings(Settings):
    """The broker between the devices and the fleet.

    ``embedded``: a small MQTT 3.1.1 broker inside this process, without passwords and so on loopback only. Otherwise an
    MQTT 5 broker of your own is used.
    """

    embedded: bool = True
    host: str = "127.0.0.1"
    port: Port = 1883
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "canopy-fleet"
    username: str | None = None
    password: SecretStr | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30

    @property
    def protocol(self) -> Literal["3.1.1", "5"]:
        """The embedded broker has no MQTT 5."""
        return "3.1.1" if self.embedded else "5"

    @model_validator(mode="after")
    def _usable(self) -> "MqttSettings":
        if self.embedded and not is_loopback(self.host):
            raise ValueError(
                f"the embedded broker asks nobody for a password, so it listens on 127.0.0.1 only, not on {self.host}; "
                "for other machines run Mosquitto and set embedded: false (see configs/fleet-mosquitto.yaml)"
            )
        if not self.embedded and self.port == 0:
            raise ValueError("port 0 (take a free one) is for the embedded broker; name the port of yours")
        return self


class HttpSettings(Settings):
    """Where the growers' page and the JSON API are served. There is no login: keep it on loopback or behind a proxy."""

    host: str = "127.0.0.1"
    port: Port = 8080
    commands: bool = False
    """Whether rollouts can be steered over HTTP, by everybody who reaches the port: loopback only, behind no proxy."""

    @model_validator(mode="after")
    def _guarded(self) -> "HttpSettings":
        if self.commands and not is_loopback(self.host):
            raise ValueError(
                f"commands over HTTP ask nobody for a login, so they are for 127.0.0.1 only, not for {self.host}; "
                "set commands: false and use canopy-fleet on this machine"
            )
        return self


class RolloutSettings(Settings):
    """How often the service looks at its rollouts, and how long after a connection it waits for what is retained."""

    tick_s: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    settle_s: Annotated[float, Field(ge=0, le=600)] = 5.0


class PictureSettings(Settings):
    """How old the overview's picture of a camera may become before its device is asked for a new one; 0: never ask.

    A picture has up to 384 kB: 1,000 cameras every ten minutes are at most 640 kB a second.
    """

    every_s: Annotated[float, Field(ge=0, le=86_400)] = 600.0


class UpdateSettings(Settings):
    """The update repository: a folder that ``canopy-fleet repo`` made, if this service is to serve it to devices.

    Its online keys' passphrase comes from ``CANOPY_KEY_PASSPHRASE``.
    """

    repository: Path | None = None


class FleetSettings(Settings):
    """Everything the fleet service needs to know."""

    state_dir: Path
    database: str | None = None
    """SQLAlchemy URL, as ``postgresql+psycopg://canopy@db/canopy``; absent: SQLite in ``state_dir``."""
    mqtt: MqttSettings = MqttSettings()
    http: HttpSettings = HttpSettings()
    rollouts: RolloutSettings = RolloutSettings()
    pictures: PictureSettings = PictureSettings()
    updates: UpdateSettings = UpdateSettings()

    @property
    def database_url(self) -> str:
        """Where the store is."""
        return self.database or f"sqlite:///{self.state_dir / 'fleet.sqlite'}"


def load_settings(path: Path) -> FleetSettings:
    """Read and check a configuration file; relative paths are relative to the file's folder.

    Raises:
        ConfigError: it cannot be read, is not YAML, or a value is wrong (each is named, with what is allowed).
    """
    tree = _read(path)
    try:
        settings = FleetSettings.model_validate(_with_environment(tree))
    except ValidationError as error:
        raise ConfigError(f"{path} cannot be used:\n{_explain(error)}") from error
    here = path.resolve().parent
    repository = settings.updates.repository
    updates = UpdateSettings(repository=here / repository if repository is not None else None)
    return settings.model_copy(update={"state_dir": here / settings.state_dir, "updates": updates})


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path} has more than {MAX_FILE_BYTES} bytes; that is no configuration")
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}; name an existing YAML file with --config") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds {type(tree).__name__}, not a mapping of settings; see configs/fleet.yaml")
    return tree


def _with_environment(tree: dict[str, Any]) -> dict[str, Any]:
    secrets = {
        key: os.environ[name]
        for key, name in (("username", "CANOPY_MQTT_USERNAME"), ("password", "CANOPY_MQTT_PASSWORD"))
        if name in os.environ
    }
    mqtt = tree.get("mqtt", {})
    return {**tree, "mqtt": {**mqtt, **secrets}} if secrets and isinstance(mqtt, dict) else tree


def _explain(error: ValidationError) -> str:
    """One line for each wrong value: where it stands, what is wrong, and what was found (never a secret)."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"]) or "file"
        plain = isinstance(problem["input"], (str, int, float, bool)) and "password" not in place
        found = f" (found {problem['input']!r:.80})" if plain and place != "database" else ""
        lines.append(f"  {place}: {problem['msg']}{found}")
    return "\n".join(lines)
