"""What the fleet wants of this device, given to whom it concerns, and what the device says became of it."""

import logging

from edge.contract.control import Desired, Reported
from edge.publisher import Updates
from edge.update.ledger import Ledger
from edge.wanted import WantedSettings

MAX_REPORTED, MAX_REFUSED = 256, 64
NO_UPDATES = "this device takes no updates: see update in its file"

log = logging.getLogger(__name__)


class Twin:
    """Divides ``desired`` between models and settings, and puts their two halves of ``reported`` together.

    Args:
        ledger: what the device says of its models.
        updater: hears of wanted models, if the device takes updates.
        wanted: hears of wanted settings.
    """

    def __init__(self, ledger: Ledger, updater: Updates | None, wanted: WantedSettings) -> None:
        self._ledger, self._updater, self._wanted = ledger, updater, wanted
        self._refusal = ""
        self._made_of: tuple[Reported, int, str] | None = None
        self._reported = ledger.reported

    @property
    def reported(self) -> Reported:
        """What the fleet should know; another object when something has changed."""
        models = self._ledger.reported
        made_of = (models, self._wanted.version, self._refusal)
        if self._made_of is None or made_of[0] is not self._made_of[0] or made_of[1:] != self._made_of[1:]:
            self._made_of, self._reported = made_of, self._merged(models)
        return self._reported

    def hear(self, desired: Desired) -> None:
        """Take in what the fleet wants, from the publisher's thread."""
        self._wanted.hear(desired.revision, desired.settings)
        if self._updater is not None:
            self._updater.hear(desired)
        elif (desired.wanted or desired.roll_back) and not self._refusal:
            log.error("the fleet wants another model, and %s", NO_UPDATES)
            self._refusal = NO_UPDATES
        elif not (desired.wanted or desired.roll_back):
            self._refusal = ""

    def _merged(self, models: Reported) -> Reported:
        update: dict[str, object] = {
            "settings": dict(list(self._wanted.in_force().items())[:MAX_REPORTED]),
            "settings_refused": dict(list(self._wanted.refused.items())[:MAX_REFUSED]),
        }
        if self._updater is None:
            update |= {"revision": self._wanted.revision, "reason": self._refusal}
        return models.model_copy(update=update)
