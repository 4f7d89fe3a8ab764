"""Tells people, by whatever Apprise speaks: e-mail, webhooks, messengers."""

import logging
from collections.abc import Sequence

import apprise
from pydantic import SecretStr

from fleet.alerts.book import Past
from fleet.alerts.rules import Severity
from fleet.alerts.settings import AlertSettings
from fleet.alerts.standing import Alert
from fleet.errors import ConfigError

MAX_LINES = 40

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log addresses, and they hold passwords


class Notifier:
    """Sends one message for everything that is new: a cut cable is one message, not two hundred."""

    def __init__(self, addresses: Sequence[SecretStr]) -> None:
        """Take the addresses.

        Raises:
            ConfigError: one is none; only its kind is named, since the rest is secret.
        """
        self._apprise = apprise.Apprise()
        for address in addresses:
            if not self._apprise.add(address.get_secret_value()):
                kind = address.get_secret_value().partition("://")[0][:20]
                raise ConfigError(
                    f"CANOPY_NOTIFY holds an address of kind {kind!r} that cannot be used; see Apprise's documentation "
                    "for how it is written"
                )

    def __len__(self) -> int:
        return len(self._apprise)

    def send(self, title: str, body: str) -> bool:
        """Whether every address took it."""
        return bool(self._apprise.notify(title=title, body=body))


def message(raised: Sequence[Alert], cleared: Sequence[Past], settings: AlertSettings) -> tuple[str, str]:
    """Title and text: what is worst first, then what is over."""
    urgent = [alert for alert in raised if settings.rules.of(alert.subject.rule).severity is Severity.CRITICAL]
    rest = [alert for alert in raised if alert not in urgent]
    lines = [f"! {_line(alert)}" for alert in urgent] + [f"- {_line(alert)}" for alert in rest]
    lines += [f"over: {past.subject} {_named(past)} (since {past.raised_at:%d %b %H:%M} UTC)" for past in cleared]
    more = len(lines) - MAX_LINES
    shown = [*lines[:MAX_LINES], f"and {more} more"] if more > 0 else lines
    link = [f"\n{settings.page}"] if settings.page else []
    return _title(raised, cleared), "\n".join([*shown, *link])


def _title(raised: Sequence[Alert], cleared: Sequence[Past]) -> str:
    if len(raised) == 1 and not cleared:
        return f"Canopy: {raised[0].subject} {_named(raised[0])}"
    parts = [f"{len(raised)} new" if raised else "", f"{len(cleared)} over" if cleared else ""]
    return f"Canopy: alerts, {' and '.join(part for part in parts if part)}"


def _line(alert: Alert) -> str:
    return f"{alert.subject}: {alert.told}"


def _named(alert: Alert | Past) -> str:
    return alert.subject.rule.value.replace("_", " ")
