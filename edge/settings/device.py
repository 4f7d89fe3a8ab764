"""One device: its whole file, read and checked."""

import os
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from edge.contract.message import Name
from edge.errors import ConfigError
from edge.settings.base import Settings, checked
from edge.settings.camera import CameraSettings
from edge.settings.care import HeatSettings, MetricsSettings, StorageSettings
from edge.settings.delivery import MqttSettings, OutboxSettings
from edge.settings.harvest import FrameUploadSettings
from edge.settings.inference import InferenceSettings
from edge.settings.source import FolderSource, VideoSource
from edge.settings.update import UpdateSettings

MAX_FILE_BYTES = 1_000_000


class DeviceSettings(Settings):
    """Everything one device needs to know."""

    site: Name
    device: Name
    state_dir: Path
    cameras: Annotated[list[CameraSettings], Field(min_length=1, max_length=16)]
    inference: InferenceSettings
    outbox: OutboxSettings = OutboxSettings()
    mqtt: MqttSettings | None = MqttSettings()
    """Absent (``null``): results stay on the device."""
    update: UpdateSettings | None = None
    """Absent: the model stays what it is."""
    heat: HeatSettings = HeatSettings()
    storage: StorageSettings = StorageSettings()
    metrics: MetricsSettings | None = None
    """Absent: nobody is answered."""
    frame_upload: FrameUploadSettings | None = None
    """Absent: frames that cameras keep (``harvest``) stay here until somebody fetches or sends them."""

    @property
    def data_dir(self) -> Path:
        """Where the database lies."""
        return self.storage.folder or self.state_dir

    @property
    def run_dir(self) -> Path:
        """Where lies what a power cut may take."""
        return self.storage.run_dir or self.state_dir

    @model_validator(mode="after")
    def _names_differ(self) -> "DeviceSettings":
        names = [camera.name for camera in self.cameras]
        if len(set(names)) != len(names):
            raise ValueError(f"cameras must have different names, got {names}")
        return self


def load_settings(path: Path) -> DeviceSettings:
    """Read and check a configuration file; relative paths in it are relative to the file's folder.

    Raises:
        ConfigError: it cannot be read, is not YAML, or a value is wrong (each is named, with what is allowed).
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path} has more than {MAX_FILE_BYTES} bytes; that is no configuration")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}; name an existing YAML file with --config") from error
    return settings_of(text, path)


def settings_of(text: str, path: Path, change: str = "") -> DeviceSettings:
    """Check what stands, or with a value of ``change`` is to stand, in the configuration file ``path``.

    Raises:
        ConfigError: it is not YAML, or a value is wrong.
    """
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds {type(tree).__name__}, not a mapping of settings; see configs/device.yaml")
    source = f"{path} stays as it is; with this {change} it" if change else str(path)
    return _anchored(checked(DeviceSettings, _with_environment(tree), source), path.resolve().parent)


def _with_environment(tree: dict[str, Any]) -> dict[str, Any]:
    secrets = {
        key: os.environ[name]
        for key, name in (("username", "CANOPY_MQTT_USERNAME"), ("password", "CANOPY_MQTT_PASSWORD"))
        if name in os.environ
    }
    mqtt = tree.get("mqtt", {})
    return {**tree, "mqtt": {**mqtt, **secrets}} if secrets and isinstance(mqtt, dict) else tree


def _anchored(settings: DeviceSettings, folder: Path) -> DeviceSettings:
    """Make every path absolute: what a relative one means must not depend on where the daemon was started."""
    cameras = [
        camera.model_copy(update={"source": camera.source.model_copy(update={"path": folder / camera.source.path})})
        if isinstance(camera.source, (FolderSource, VideoSource))
        else camera
        for camera in settings.cameras
    ]
    update = settings.update and settings.update.model_copy(update={"root": folder / settings.update.root})
    state_dir = folder / settings.state_dir
    engines = folder / (settings.inference.engine.folder or state_dir / "engines")
    inference = settings.inference.model_copy(
        update={
            "package": folder / settings.inference.package,
            "engine": settings.inference.engine.model_copy(update={"folder": engines}),
        }
    )
    mqtt = settings.mqtt
    if mqtt and mqtt.tls:
        mqtt = mqtt.model_copy(update={"tls": mqtt.tls.anchored(folder, state_dir)})
    storage = settings.storage.model_copy(
        update={name: folder / path for name in ("folder", "run_dir") if (path := getattr(settings.storage, name))}
    )
    smaller = settings.heat.package
    heat = settings.heat.model_copy(update={"package": folder / smaller if smaller else None})
    return settings.model_copy(
        update={
            "state_dir": state_dir,
            "cameras": cameras,
            "inference": inference,
            "update": update,
            "mqtt": mqtt,
            "heat": heat,
            "storage": storage,
        }
    )
