"""The device's configuration: one YAML file, checked as a whole and rejected, never repaired.

Values that differ between machines may come from the environment instead: ``CANOPY_MQTT_PASSWORD`` and
``CANOPY_MQTT_USERNAME``, so that no secret stands in a file that people copy.
"""

from edge.settings.base import SECRETS, Fraction, Group, Point, Settings, checked
from edge.settings.calibration import IdentitySettings, MovementSettings
from edge.settings.camera import CameraSettings, GridPlots, PlotSettings, PolygonPlots, QualitySettings
from edge.settings.care import HeatSettings, MetricsSettings, StorageSettings
from edge.settings.delivery import MqttSettings, OutboxSettings
from edge.settings.device import MAX_FILE_BYTES, DeviceSettings, load_settings, settings_of
from edge.settings.drift import CropStage, DriftSettings
from edge.settings.inference import EngineSettings, InferenceSettings
from edge.settings.recovery import CommandPower, PowerSettings, RebootSettings, RecoverySettings, UhubctlPower, UsbPower
from edge.settings.schedule import BurstSettings, DaylightSettings, HoursSettings, WindowSettings
from edge.settings.source import (
    SINK_NAME,
    ControlSettings,
    CsiSource,
    FolderSource,
    GstreamerSource,
    RtspSource,
    SourceSettings,
    V4l2Source,
    VideoSource,
)
from edge.settings.tls import IDENTITY, TlsSettings
from edge.settings.update import AgreementSettings, UpdateSettings

__all__ = [
    "IDENTITY",
    "MAX_FILE_BYTES",
    "SECRETS",
    "SINK_NAME",
    "AgreementSettings",
    "BurstSettings",
    "CameraSettings",
    "CommandPower",
    "ControlSettings",
    "CropStage",
    "CsiSource",
    "DaylightSettings",
    "DeviceSettings",
    "DriftSettings",
    "EngineSettings",
    "FolderSource",
    "Fraction",
    "GridPlots",
    "Group",
    "GstreamerSource",
    "HeatSettings",
    "HoursSettings",
    "IdentitySettings",
    "InferenceSettings",
    "MetricsSettings",
    "MovementSettings",
    "MqttSettings",
    "OutboxSettings",
    "PlotSettings",
    "Point",
    "PolygonPlots",
    "PowerSettings",
    "QualitySettings",
    "RebootSettings",
    "RecoverySettings",
    "RtspSource",
    "Settings",
    "SourceSettings",
    "StorageSettings",
    "TlsSettings",
    "UhubctlPower",
    "UpdateSettings",
    "UsbPower",
    "V4l2Source",
    "VideoSource",
    "WindowSettings",
    "checked",
    "load_settings",
    "settings_of",
]
