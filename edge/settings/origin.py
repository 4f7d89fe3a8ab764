"""Where each setting comes from: the file, the environment, the fleet, or nobody, which is its default. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge.contract.control import Setting
from edge.settings.device import DeviceSettings
from edge.settings.paths import with_wishes

FROM_ENVIRONMENT = {"mqtt.username": "CANOPY_MQTT_USERNAME", "mqtt.password": "CANOPY_MQTT_PASSWORD"}


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting as it may be shown, and where it comes from."""

    path: str
    value: Any
    origin: str


def origins(
    settings: DeviceSettings, tree: Mapping[str, Any], environment: Mapping[str, str], wishes: Mapping[str, Setting]
) -> list[Origin]:
    """Every setting that would run with the file as it is, in the order of the file's groups.

    Args:
        settings: the file's, checked.
        tree: the same as it stands in the file.
        environment: the process's.
        wishes: what the fleet wants.
    """
    effective, taken, _ = with_wishes(settings, wishes)
    given = flattened(tree)

    def origin(path: str) -> str:
        if path in taken:
            return "fleet"
        if FROM_ENVIRONMENT.get(path, "") in environment:
            return "environment"
        stands = any(each == path or each.startswith(f"{path}.") or path.startswith(f"{each}.") for each in given)
        return "file" if stands else "default"

    return [Origin(path, value, origin(path)) for path, value in flattened(effective.model_dump(mode="json")).items()]


def flattened(document: Any) -> dict[str, Any]:
    """A document's leaves by path, a camera under its name."""
    return dict(_leaves("", document))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    head = f"{path}." if path else ""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(f"{head}{name}", inner)
    elif isinstance(value, list) and value and all(isinstance(each, dict) and "name" in each for each in value):
        for each in value:
            yield from _leaves(f"{head}{each['name']}", each)
    else:
        yield path, value
