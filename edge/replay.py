"""Sends records again that the fleet says it has: after what is new, and without moving the watermark.

A replay goes on over connections, but not over a restart: who asked for it asks again.
"""

import threading

from edge.batches import Row
from edge.errors import DeliveryError
from edge.outbox import Outbox

CHUNK_RECORDS = 50


class Replay:
    """Where a replay stands. ``begin`` may be called from any thread, ``next`` is the publisher's."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._lock = threading.Lock()
        self._epoch = ""
        self._after = self._upto = 0

    def begin(self, from_seq: int) -> tuple[int, int]:
        """Send again everything from ``from_seq`` to the watermark; what lies above it is sent anyway.

        Raises:
            DeliveryError: nothing lies there.
        """
        at = self._outbox.position
        if from_seq > at.watermark:
            raise DeliveryError(
                f"nothing is to be sent again from {from_seq}: the fleet has confirmed up to {at.watermark} of "
                f"{at.last_seq}, and what lies above is sent anyway"
            )
        with self._lock:
            self._epoch, self._after, self._upto = at.epoch, max(0, from_seq - 1), at.watermark
        return from_seq, at.watermark

    def next(self) -> list[Row]:
        """The next records to send again; nothing when it is done, or none was asked for."""
        with self._lock:
            if self._after >= self._upto:
                return []
            rows = self._outbox.read(self._after, self._upto, CHUNK_RECORDS)
            if not rows or rows[0].epoch != self._epoch:
                self._after = self._upto
                return []
            self._after = rows[-1].seq
            return rows
