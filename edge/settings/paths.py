"""Settings by their paths: ``cameras.top.interval_s``, a camera under its name. Pure: what is read is not changed."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from edge.contract.control import Setting
from edge.errors import ConfigError
from edge.settings.base import Settings
from edge.settings.device import DeviceSettings

G = TypeVar("G", bound=Settings)
MAX_REASON_CHARS = 300

FLEET_MAY_SET = (
    "cameras.*.interval_s",
    "cameras.*.max_fps",
    "cameras.*.quality.*",
    "cameras.*.window.daylight.*",
    "cameras.*.window.hours.*",
    "cameras.*.burst.*",
    "cameras.*.drift.every_s",
    "inference.threads",
    "mqtt.health_every_s",
    "update.bytes_per_s",
    "update.window.*",
)
"""What the fleet may change: how often, how fast, and what counts as fit to measure. Never where anything comes from or
goes to, never a path, an address or a secret; those are the technician's, who stands before the device."""


def is_fleets(path: str) -> bool:
    """Whether the fleet may change the setting."""
    parts = path.split(".")
    return any(
        len(parts) == len(form) and all(want in {"*", part} for want, part in zip(form, parts, strict=True))
        for form in (each.split(".") for each in FLEET_MAY_SET)
    )


def leaves(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every setting that is no group, with its value, by path; an absent group is a setting of value None."""
    for name in type(settings).model_fields:
        yield from _under(name, getattr(settings, name))


def _under(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Settings):
        for name, inner in leaves(value):
            yield f"{path}.{name}", inner
    elif isinstance(value, list) and value and all(isinstance(each, Settings) for each in value):
        for each in value:
            yield from _under(f"{path}.{each.name}", each)
    else:
        yield path, value


def of_fleet(settings: DeviceSettings) -> dict[str, Setting]:
    """The settings in force of those that the fleet may change and that a message can carry."""
    return {
        path: value
        for path, value in leaves(settings)
        if is_fleets(path) and (value is None or isinstance(value, bool | int | float | str))
    }


def with_wishes(
    settings: DeviceSettings, wishes: Mapping[str, Setting]
) -> tuple[DeviceSettings, dict[str, Setting], dict[str, str]]:
    """The settings with what is wanted of them, where that may be and is valid as a whole.

    Wishes may depend on each other (``interval_s`` and ``max_fps`` exclude each other), so one that fails is tried
    again after the others.

    Returns:
        The settings, the wishes that are in them, and the others with the reason.
    """
    taken: dict[str, Setting] = {}
    refused = {
        path: "the fleet may not change this; see canopy config set on the device"
        for path in wishes
        if not is_fleets(path)
    }
    waiting = {path: value for path, value in wishes.items() if path not in refused}
    while waiting:
        failed: dict[str, str] = {}
        for path, value in waiting.items():
            try:
                settings = changed(settings, path, value)
                taken[path] = value
            except ConfigError as error:
                failed[path] = str(error)[:MAX_REASON_CHARS]
        if len(failed) == len(waiting):
            return settings, taken, refused | failed
        waiting = {path: waiting[path] for path in failed}
    return settings, taken, refused


def changed(settings: G, path: str, value: Any) -> G:
    """The settings with another value at ``path``, checked at each level up to the whole.

    Raises:
        ConfigError: there is no such setting, or the value is not allowed.
    """
    try:
        return _changed(settings, path.split("."), value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        raise ConfigError(f"{value!r} is not allowed: {problem['msg']}") from error


def _changed(group: G, keys: list[str], value: Any) -> G:
    key, rest = keys[0], keys[1:]
    if key not in type(group).model_fields:
        raise ConfigError(f"there is no setting {key}; see canopy config show --effective")
    inner = getattr(group, key)
    if rest and isinstance(inner, list):
        value = _in_list(inner, rest, value)
    elif rest:
        if not isinstance(inner, Settings):
            raise ConfigError(f"{key} is not configured on this device, so nothing in it can be changed")
        value = _changed(inner, rest, value)
    given = {name: getattr(group, name) for name in group.model_fields_set | {key}}
    return type(group).model_validate(given | {key: value})


def _in_list(cameras: list[Any], keys: list[str], value: Any) -> list[Any]:
    names = [camera.name for camera in cameras]
    if keys[0] not in names or len(keys) < 2:
        raise ConfigError(f"there is no camera {keys[0]}; there is {', '.join(names)}")
    return [_changed(camera, keys[1:], value) if camera.name == keys[0] else camera for camera in cameras]
