"""What goes wrong in a thread that tries again: logged once, until it changes or is over."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from fleet.errors import FleetError


class Troubles:
    """Of one thread, into its log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told: dict[str, str] = {}

    @contextmanager
    def told_once(self, what: str) -> Iterator[None]:
        """Whatever goes wrong inside ends there; ``what`` names in the log what stands still until the next try."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try must come
            if self._told.get(what) != str(error):
                unforeseen = not isinstance(error, FleetError)
                self._log.log(logging.ERROR, "%s: %s; trying again", what, error, exc_info=unforeseen)
            self._told[what] = str(error)
        else:
            self._told.pop(what, None)
