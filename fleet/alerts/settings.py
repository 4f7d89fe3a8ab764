"""The ``alerts`` group of the fleet's configuration."""

from typing import Annotated

from pydantic import Field, SecretStr

from fleet.alerts.rules import RulesSettings
from fleet.strict import Settings


class AlertSettings(Settings):
    """Which rules hold, and who is told.

    ``notify`` are addresses as Apprise writes them (``mailto://``, ``jsons://`` for a webhook, Signal, Matrix, Slack,
    ntfy and a hundred more). They hold passwords, so they come from ``CANOPY_NOTIFY``, separated by spaces, and never
    from the file.
    """

    rules: RulesSettings = RulesSettings()
    every_s: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    notify: tuple[SecretStr, ...] = ()
    page: str | None = None
    """Address of the dashboard, for the link in a message."""
