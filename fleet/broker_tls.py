"""TLS towards the broker, for each of the service's connections."""

import ssl
from contextlib import suppress
from pathlib import Path

from edge.contract import tls
from fleet.errors import ConfigError
from fleet.settings import MqttSettings, MqttTlsSettings


def broker_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """The TLS that is wanted towards the broker.

    Raises:
        ConfigError: its files cannot be used.
    """
    if settings.tls is None:
        return None
    certificate, key = _own(settings.tls)
    try:
        return tls.client_context(settings.tls.ca or Path(), certificate, key)
    except OSError as error:
        raise ConfigError(
            f"mqtt.tls: {settings.tls.ca}, {certificate} and {key} cannot be used: {error}; canopy-fleet ca init makes "
            "them, and they must be readable by this user"
        ) from error


def show_newest(context: ssl.SSLContext | None, settings: MqttSettings) -> None:
    """Load the service's certificate again: it may have been renewed since the last connection."""
    if settings.tls is not None and context is not None:
        with suppress(OSError):  # what was loaded before goes on being shown
            context.load_cert_chain(*_own(settings.tls))


def _own(files: MqttTlsSettings) -> tuple[Path, Path]:
    return files.certificate or Path(), files.key or Path()
