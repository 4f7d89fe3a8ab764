"""Tries a broker at once: reached, and allowed in."""

from pathlib import Path
from typing import Any

from edge.clock import boot_id, utc_now
from edge.contract.messages import State
from edge.errors import DeliveryError
from edge.link import Link
from edge.settings import MqttSettings, checked

NONE = "none"


def broker_of(words: str, more: dict[str, Any] | None = None) -> MqttSettings | None:
    """The broker that ``HOST[:PORT]`` means, with ``more`` settings; none for ``none``.

    Raises:
        ConfigError: it is no address.
    """
    if words.strip().lower() in {NONE, ""}:
        return None
    host, colon, port = words.strip().rpartition(":")
    values = {"host": host, "port": port} if colon else {"host": words.strip()}
    return checked(MqttSettings, values | (more or {}), f"the broker {words}")


def anchored(settings: MqttSettings, state_dir: Path) -> MqttSettings:
    """With the files of an enrolled device's TLS where enrolment put them."""
    tls: Any = getattr(settings, "tls", None)
    return settings if tls is None else settings.model_copy(update={"tls": tls.anchored(state_dir, state_dir)})


def tried(settings: MqttSettings, site: str, device: str) -> MqttSettings:
    """Connect once, by MQTT 5, else by 3.1.1; the settings that work.

    Raises:
        DeliveryError: it is not reached, or refuses this device.
    """
    try:
        _connect(settings, site, device)
    except DeliveryError as error:
        older = settings.model_copy(update={"protocol": "3.1.1"})
        try:
            _connect(older, site, device)
        except DeliveryError:
            raise error from None  # the first answer tells more
        return older
    return settings


def _connect(settings: MqttSettings, site: str, device: str) -> None:
    link = Link(settings, site, device, will=State(online=False, boot_id=boot_id(), at=utc_now()))
    try:
        link.open()
    finally:
        link.close()
