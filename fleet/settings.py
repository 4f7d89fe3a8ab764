"""The fleet service's configuration: one YAML file, checked as a whole and rejected, never repaired.

``CANOPY_MQTT_USERNAME``, ``CANOPY_MQTT_PASSWORD`` and ``CANOPY_NOTIFY`` come from the environment, so that no secret
stands in a file that people copy.
"""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from fleet.alerts.settings import AlertSettings
from fleet.errors import ConfigError
from fleet.retrain.settings import RetrainSettings
from fleet.strict import Settings

MAX_FILE_BYTES = 1_000_000
NOTIFY = "CANOPY_NOTIFY"

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 takes a free one."""


def is_loopback(host: str) -> bool:
    """Whether ``host`` can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class MqttTlsSettings(Settings):
    """TLS towards the broker, as PEM files; absent ones are the authority's, which the service makes and renews."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


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
    tls: MqttTlsSettings | None = None

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
        if self.embedded and self.tls:
            raise ValueError("the embedded broker has no TLS, and needs none on loopback; take tls away")
        if not self.embedded and self.port == 0:
            raise ValueError("port 0 (take a free one) is for the embedded broker; name the port of yours")
        return self


class TlsSettings(Settings):
    """A certificate with its chain, and its key, as PEM files."""

    certificate: Path
    key: Path


class HttpSettings(Settings):
    """Where the growers' page and the JSON API are served; to other machines over TLS only, here or at a proxy."""

    host: str = "127.0.0.1"
    port: Port = 8080
    tls: TlsSettings | None = None
    proxies: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    """Addresses or networks of reverse proxies, which are believed when they say who asks, and whether over TLS."""

    @model_validator(mode="after")
    def _private(self) -> "HttpSettings":
        if self.tls is None and not self.proxies and not is_loopback(self.host):
            raise ValueError(
                f"on {self.host} passwords would cross the network as they are typed; name a certificate in http.tls "
                "(canopy-fleet ca server makes one), or the reverse proxy that has one in http.proxies"
            )
        return self

    @field_validator("proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ipaddress.ip_network(proxy)
        return proxies


class RolloutSettings(Settings):
    """How often the service looks at its rollouts, and how long after a connection it waits for what is retained."""

    tick_s: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    settle_s: Annotated[float, Field(ge=0, le=600)] = 5.0


class IngestSettings(Settings):
    """Who files the records of the devices.

    ``shared``: several processes do (``canopy-fleet ingest`` beside ``serve``), each a part; it needs an MQTT 5 broker
    and PostgreSQL. ``in_service``: whether ``serve`` is one of them.
    """

    shared: bool = False
    in_service: bool = True

    @model_validator(mode="after")
    def _somebody(self) -> "IngestSettings":
        if not self.shared and not self.in_service:
            raise ValueError("in_service: false leaves the records to canopy-fleet ingest, which needs shared: true")
        return self


class StoreSettings(Settings):
    """How long single readings are kept; the roll-ups of hours and days stay. ``None``: for ever."""

    keep_readings_days: Annotated[int, Field(ge=2, le=36_500)] | None = None


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


class CaSettings(Settings):
    """The certificate authority that ``canopy-fleet ca init`` made, if devices enrol here."""

    folder: Path | None = None
    """Absent: ``ca`` in ``state_dir``."""
    certificate_days: Annotated[float, Field(gt=0, le=825)] = 90.0
    """How long a device's certificate is valid. It is renewed after two thirds: the rest is how long this service may
    be away."""
    grace_days: Annotated[float, Field(ge=0, le=366)] = 0.0
    """How long after its end a certificate can still be renewed, for devices that rest over the winter."""


class FrameSettings(Settings):
    """Frames for training, which enrolled devices send; ``folder``: absent, ``frames`` in ``state_dir``."""

    folder: Path | None = None
    device_day_bytes: Annotated[int, Field(ge=0)] = 200_000_000
    """The most that one device can send in a day (UTC)."""


class HomeAssistantSettings(Settings):
    """Where Home Assistant looks for announcements, and how often states are renewed."""

    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "homeassistant"
    every_s: Annotated[float, Field(ge=1, le=3600)] = 60.0


class FleetSettings(Settings):
    """Everything the fleet service needs to know."""

    state_dir: Path
    database: str | None = None
    """SQLAlchemy URL, as ``postgresql+psycopg://canopy@db/canopy``; absent: SQLite in ``state_dir``."""
    mqtt: MqttSettings = MqttSettings()
    http: HttpSettings = HttpSettings()
    rollouts: RolloutSettings = RolloutSettings()
    ingest: IngestSettings = IngestSettings()
    store: StoreSettings = StoreSettings()
    pictures: PictureSettings = PictureSettings()
    updates: UpdateSettings = UpdateSettings()
    ca: CaSettings = CaSettings()
    alerts: AlertSettings = AlertSettings()
    frames: FrameSettings = FrameSettings()
    retrain: RetrainSettings = RetrainSettings()
    home_assistant: HomeAssistantSettings | None = None
    """Absent: Home Assistant is told nothing."""

    @property
    def ca_folder(self) -> Path:
        """Where the certificate authority is, or would be."""
        return self.ca.folder or self.state_dir / "ca"

    @property
    def frames_folder(self) -> Path:
        """Where frames for training lie."""
        return self.frames.folder or self.state_dir / "frames"

    @property
    def retrain_folder(self) -> Path:
        """Where retrainings have their folders."""
        return self.retrain.folder or self.state_dir / "retrainings"

    @model_validator(mode="after")
    def _shareable(self) -> "FleetSettings":
        if self.ingest.shared and (self.mqtt.embedded or self.database_url.startswith("sqlite")):
            raise ValueError(
                "ingest.shared needs a broker with MQTT 5 (mqtt.embedded: false) and PostgreSQL (database: …)"
            )
        return self

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
    return _anchored(settings, path.resolve().parent)


def _anchored(settings: FleetSettings, here: Path) -> FleetSettings:
    """Make every path absolute: what a relative one means must not depend on where the service was started."""
    state_dir, repository, tls = here / settings.state_dir, settings.updates.repository, settings.http.tls
    ca_folder = here / (settings.ca.folder or state_dir / "ca")
    mqtt_tls = settings.mqtt.tls and MqttTlsSettings(
        ca=here / (settings.mqtt.tls.ca or ca_folder / "ca.pem"),
        certificate=here / (settings.mqtt.tls.certificate or ca_folder / "private" / "fleet.pem"),
        key=here / (settings.mqtt.tls.key or settings.mqtt.tls.certificate or ca_folder / "private" / "fleet.pem"),
    )
    http_tls = tls and TlsSettings(certificate=here / tls.certificate, key=here / tls.key)
    return settings.model_copy(
        update={
            "state_dir": state_dir,
            "updates": UpdateSettings(repository=repository and here / repository),
            "http": settings.http.model_copy(update={"tls": http_tls}),
            "mqtt": settings.mqtt.model_copy(update={"tls": mqtt_tls}),
            "ca": settings.ca.model_copy(update={"folder": ca_folder}),
            "frames": settings.frames.model_copy(
                update={"folder": here / (settings.frames.folder or state_dir / "frames")}
            ),
            "retrain": settings.retrain.anchored(here, state_dir),
        }
    )


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
    mqtt, alerts = tree.get("mqtt", {}), tree.get("alerts", {})
    if secrets and isinstance(mqtt, dict):
        tree = {**tree, "mqtt": {**mqtt, **secrets}}
    if NOTIFY in os.environ and isinstance(alerts, dict):
        tree = {**tree, "alerts": {**alerts, "notify": os.environ[NOTIFY].split()}}
    return tree


def _explain(error: ValidationError) -> str:
    """One line for each wrong value: where it stands, what is wrong, and what was found (never a secret)."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"]) or "file"
        plain = isinstance(problem["input"], (str, int, float, bool)) and "password" not in place
        found = f" (found {problem['input']!r:.80})" if plain and place != "database" else ""
        lines.append(f"  {place}: {problem['msg']}{found}")
    return "\n".join(lines)
