"""Tells systemd how the service does (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names.

The watchdog is fed by the loop's own turns, never by a timer: a loop that hangs in the model or on the disk starves it,
and systemd ends the daemon and starts another; a loop that waits for a camera turns on, and feeds it.
"""

import logging
import os
import socket
import time

FEEDS_A_PERIOD = 4
SEND_WITHIN_S = 0.2

log = logging.getLogger(__name__)


class Notifier:
    """Where there is no systemd, every call does nothing."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        mine = os.environ.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        period_us = os.environ.get("WATCHDOG_USEC", "") if self._address and mine else ""
        self._feed_every_s = int(period_us) / 1e6 / FEEDS_A_PERIOD if period_us.isdecimal() else float("inf")
        self._fed_at_s = float("-inf")

    def ready(self) -> None:
        """The service is up."""
        self._send("READY=1\nSTATUS=measuring")

    def stopping(self) -> None:
        """The service is on its way down."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The loop has made a turn; told at most ``FEEDS_A_PERIOD`` times in each of the watchdog's periods."""
        now_s = time.monotonic()
        if now_s - self._fed_at_s >= self._feed_every_s:
            self._fed_at_s = now_s
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        where = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.settimeout(SEND_WITHIN_S)
                notify.sendto(message.encode(), where)
        except OSError as error:
            log.warning("systemd cannot be told %r: %s", message, error)
