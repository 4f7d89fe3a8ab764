"""The device's configuration: one YAML file, checked as a whole and rejected, never repaired.

Values that differ between machines may come from the environment instead: ``CANOPY_MQTT_PASSWORD`` and
``CANOPY_MQTT_USERNAME``, so that no secret stands in a file that people copy.
"""

from edge.settings.base import SECRETS, Fraction, Group, Point, Settings, checked
from edge.settings.camera import (
    CameraSettings,
    FolderSource,
    GridPlots,
    PlotSettings,
    PolygonPlots,
    QualitySettings,
    RtspSource,
    SourceSettings,
    V4l2Source,
    VideoSource,
)
from edge.settings.delivery import MqttSettings, OutboxSettings
from edge.settings.device import MAX_FILE_BYTES, DeviceSettings, load_settings, settings_of
from edge.settings.inference import EngineSettings, InferenceSettings
from edge.settings.update import AgreementSettings, UpdateSettings

__all__ = [
    "MAX_FILE_BYTES",
    "SECRETS",
    "AgreementSettings",
    "CameraSettings",
    "DeviceSettings",
    "EngineSettings",
    "FolderSource",
    "Fraction",
    "GridPlots",
    "Group",
    "InferenceSettings",
    "MqttSettings",
    "OutboxSettings",
    "PlotSettings",
    "Point",
    "PolygonPlots",
    "QualitySettings",
    "RtspSource",
    "Settings",
    "SourceSettings",
    "UpdateSettings",
    "V4l2Source",
    "VideoSource",
    "checked",
    "load_settings",
    "settings_of",
]
