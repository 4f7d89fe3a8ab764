"""The device's configuration: one YAML file, checked as a whole and rejected, never repaired.

Values that differ between machines may come from the environment instead: ``CANOPY_MQTT_PASSWORD`` and
``CANOPY_MQTT_USERNAME``, so that no secret stands in a file that people copy.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, ValidationError, model_validator

from edge.address import public_address
from edge.contract.message import Name
from edge.errors import ConfigError

MAX_FILE_BYTES = 1_000_000
SECRETS = ("password", "url")
"""Settings whose values are never shown."""


class Settings(BaseModel):
    """A group of settings: unknown keys are errors, so a typing mistake never passes silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Group = TypeVar("Group", bound=Settings)

Fraction = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Fraction, Fraction]


class GridPlots(Settings):
    """Plots in rows and columns between two corners, named R1C1, R1C2 and so on.

    Corners are (x, y) as fractions of the picture's width and height.
    """

    kind: Literal["grid"] = "grid"
    rows: Annotated[int, Field(ge=1, le=100)]
    columns: Annotated[int, Field(ge=1, le=100)]
    top_left: Point = (0.0, 0.0)
    bottom_right: Point = (1.0, 1.0)

    @model_validator(mode="after")
    def _ordered(self) -> "GridPlots":
        if self.top_left[0] >= self.bottom_right[0] or self.top_left[1] >= self.bottom_right[1]:
            raise ValueError(f"top_left {self.top_left} must lie left of and above bottom_right {self.bottom_right}")
        return self


class PolygonPlots(Settings):
    """Plots by their outlines: name → corners (x, y) as fractions of the picture's width and height."""

    kind: Literal["polygons"] = "polygons"
    outlines: Annotated[dict[Name, Annotated[list[Point], Field(min_length=3)]], Field(min_length=1, max_length=1000)]


PlotSettings = Annotated[GridPlots | PolygonPlots, Field(discriminator="kind")]


class FolderSource(Settings):
    """Pictures in a folder, in order of time: by their names, else their EXIF, else their modification time."""

    kind: Literal["folder"] = "folder"
    path: Path


class VideoSource(Settings):
    """A video file. Picture n was taken at ``started_at`` (the file's time if absent) + n · ``interval_s``."""

    kind: Literal["video"] = "video"
    path: Path
    started_at: datetime | None = None
    interval_s: Annotated[float, Field(gt=0)] | None = None


class V4l2Source(Settings):
    """A USB or CSI camera behind V4L2: an index or a device path; /dev/v4l/by-id paths survive re-plugging."""

    kind: Literal["v4l2"] = "v4l2"
    device: int | str
    width_px: Annotated[int, Field(ge=64, le=8192)] | None = None
    height_px: Annotated[int, Field(ge=64, le=8192)] | None = None


class RtspSource(Settings):
    """A network camera."""

    kind: Literal["rtsp"] = "rtsp"
    url: Annotated[str, Field(pattern=r"^rtsps?://"), PlainSerializer(public_address)]
    """May hold a user and a password; they are used, and never written out again."""


SourceSettings = Annotated[FolderSource | VideoSource | V4l2Source | RtspSource, Field(discriminator="kind")]


class QualitySettings(Settings):
    """Limits of the quality gate, on the grey picture (0 to 255) at the network's input size, without its padding.

    A picture is dark if its brightest half percent lies below ``dark_below``: at night everything is black, while a
    plant before a black background is small but bright. It is overexposed if more than ``overexposed_share`` of it is
    250 or brighter; blurred if the mean square of its Laplacian over what is not dark lies below ``blurred_below`` (the
    8-bit rounding of a wholly smooth picture gives up to 2); frozen from the ``frozen_after``-th identical picture on,
    which only live cameras are asked, because files may repeat a picture.
    """

    dark_below: Annotated[float, Field(ge=0, le=255)] = 12.0
    overexposed_share: Fraction = 0.5
    blurred_below: Annotated[float, Field(ge=0)] = 3.0
    frozen_after: Annotated[int, Field(ge=2)] = 5


class CameraSettings(Settings):
    """One camera: where its pictures come from, how often, and where its plots are."""

    name: Name
    source: SourceSettings
    interval_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Time-lapse of a live camera: one picture every so many seconds, aligned to the wall clock."""
    max_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    """Read no faster than this; absent, with no ``interval_s`` either: every picture that the source gives."""
    plots: PlotSettings | None = None
    quality: QualitySettings = QualitySettings()
    read_timeout_s: Annotated[float, Field(gt=0, le=600)] = 15.0
    reconnect_max_s: Annotated[float, Field(gt=0, le=3600)] = 60.0

    @model_validator(mode="after")
    def _one_pace(self) -> "CameraSettings":
        if self.interval_s is not None and self.max_fps is not None:
            raise ValueError("interval_s and max_fps exclude each other: a time-lapse, or every picture up to a rate")
        return self


class EngineSettings(Settings):
    """TensorRT engines: where built ones are kept, and what building one may take.

    A build that needs more than ``build_memory_bytes`` is ended rather than the daemon beside it; on a Jetson that is
    memory of CPU and GPU alike. ``workspace_bytes`` bounds what one layer may use for speed.
    """

    folder: Path | None = None
    """Absent: ``engines`` in the state directory, of commands without one in ``~/.cache/canopy``."""
    workspace_bytes: Annotated[int, Field(ge=2**20)] = 512 * 2**20
    build_memory_bytes: Annotated[int, Field(ge=256 * 2**20)] = 3 * 2**30
    build_timeout_s: Annotated[float, Field(gt=0)] = 3600.0
    keep: Annotated[int, Field(ge=1, le=100)] = 4


class InferenceSettings(Settings):
    """Which model runs, on what, and on how much of the machine."""

    package: Path
    backend: Literal["auto", "tensorrt", "cuda", "cpu", "ort-tensorrt", "openvino"] = "auto"
    precision: Literal["auto", "fp32", "fp16", "int8.trt", "int8.cpu"] = "auto"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    engine: EngineSettings = EngineSettings()


class OutboxSettings(Settings):
    """How much the device keeps when nobody listens, and how often it commits.

    What was measured is committed after ``commit_after_s`` or ``commit_records``, whichever comes first: one fsync for
    many frames spares SD cards.
    """

    commit_records: Annotated[int, Field(ge=1, le=1000)] = 50
    commit_after_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    max_bytes: Annotated[int, Field(ge=1_000_000)] = 2_000_000_000
    keep_delivered_s: Annotated[float, Field(ge=0)] = 86_400.0


class MqttSettings(Settings):
    """The broker, and how much is under way at a time."""

    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password: SecretStr | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    batch_records: Annotated[int, Field(ge=1, le=1000)] = 50
    window_records: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    resend_after_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    health_every_s: Annotated[float, Field(gt=0, le=3600)] = 30.0


class AgreementSettings(Settings):
    """How near a new model must come to the one in force, on the same pictures of this device's cameras.

    On a picture the two agree if their counts differ by no more than ``count`` or, where there is much to count, by
    ``count_share`` of the larger one, the logarithm to base 2 of the ratio of their plant areas lies within
    ``area_log2``, and ``same_class`` of all cells have one class. They must agree on ``share`` of the pictures.
    """

    count: Annotated[int, Field(ge=0)] = 2
    count_share: Fraction = 0.25
    area_log2: Annotated[float, Field(gt=0)] = 0.75
    same_class: Fraction = 0.85
    share: Fraction = 0.75


class UpdateSettings(Settings):
    """Where new models come from, and what one must prove on this device before it is believed."""

    hardware: Name
    """Names the packages that are for this device, ``{hardware}/{name}-{version}.zip`` in the repository."""
    root: Path
    """The root metadata that the device was given with its software: the anchor of all trust."""
    url: Annotated[str, Field(pattern=r"^https?://"), PlainSerializer(public_address)] | None = None
    """The repository; absent: updates come by ``canopy update import`` only."""
    bytes_per_s: Annotated[float, Field(ge=0)] = 0.0
    """Download no faster; 0 is no limit."""
    reserve_bytes: Annotated[int, Field(ge=0)] = 64 * 2**20
    """What a download leaves free for the device's own records."""

    latency_ms: Annotated[float, Field(gt=0)] = 500.0
    memory_bytes: Annotated[int, Field(ge=2**26)] = 800 * 2**20
    """The most that a process with the model in it may hold."""
    answer_within_s: Annotated[float, Field(gt=0)] = 60.0
    """A model on trial that does not answer for so long is refused."""
    agreement: AgreementSettings = AgreementSettings()
    recent_pictures: Annotated[int, Field(ge=1, le=64)] = 8
    """So many pictures the self-test asks for, each held in memory at the network's input size."""
    recent_every_s: Annotated[float, Field(ge=0)] = 10.0
    """Pictures of a camera that lie nearer together are not kept for it: they would show the same."""

    shadow_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the live pictures that the new model sees, too, before it is switched to."""
    shadow_pictures: Annotated[int, Field(ge=0)] = 20
    shadow_s: Annotated[float, Field(ge=0)] = 300.0
    """It runs in the shadow for as long, and until it has seen as many pictures; ``shadow_pictures`` 0: not at all."""

    probation_s: Annotated[float, Field(ge=0)] = 600.0
    probation_pictures: Annotated[int, Field(ge=1)] = 5
    """It is confirmed when it has measured for as long, and so many pictures."""
    slowdown: Annotated[float, Field(gt=1)] = 3.0
    """In the probation a picture may take so many times what it took before."""
    retry_after_s: Annotated[float, Field(gt=0)] = 600.0
    """When an attempt has failed, or the repository gave no answer, the next one waits for so long."""


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
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds {type(tree).__name__}, not a mapping of settings; see configs/device.yaml")
    return _anchored(checked(DeviceSettings, _with_environment(tree), str(path)), path.resolve().parent)


def checked(kind: type[Group], values: dict[str, Any], source: str) -> Group:
    """A group of settings from what ``source`` gives.

    Raises:
        ConfigError: a value is wrong; each is named, with what is allowed.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source} cannot be used:\n{_explain(error)}") from error


def _with_environment(tree: dict[str, Any]) -> dict[str, Any]:
    secrets = {
        key: os.environ[name]
        for key, name in (("username", "CANOPY_MQTT_USERNAME"), ("password", "CANOPY_MQTT_PASSWORD"))
        if name in os.environ
    }
    mqtt = tree.get("mqtt", {})
    return {**tree, "mqtt": {**mqtt, **secrets}} if secrets and isinstance(mqtt, dict) else tree


def _explain(error: ValidationError) -> str:
    """One line for each wrong value: where it stands, what is wrong, and what was found."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"]) or "file"
        hidden = problem["type"] == "missing" or place.endswith(SECRETS)
        found = "" if hidden else f" (found {problem['input']!r:.80})"
        lines.append(f"  {place}: {problem['msg']}{found}")
    return "\n".join(lines)


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
    return settings.model_copy(
        update={"state_dir": state_dir, "cameras": cameras, "inference": inference, "update": update}
    )
