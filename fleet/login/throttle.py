"""How often a login may fail, for an account and for an address, in bounded memory."""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Sequence

MAX_KEYS = 10_000
WINDOW_S = 300.0
PER_ACCOUNT, PER_ADDRESS = 10, 30


class Throttle:
    """Counts failures in windows of ``WINDOW_S``. What is remembered longest is forgotten first when it is full.

    All times are seconds of one monotonic clock, handed in.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, account: str, address: str, now_s: float) -> float:
        """For how long this account, or this address, must not try again; 0: it may."""
        with self._lock:
            return max(self._wait_s(key, limit, now_s) for key, limit in _keys(account, address))

    def failed(self, account: str, address: str, now_s: float) -> bool:
        """Note a failure; whether it was the one that used up a limit."""
        with self._lock:
            counts = [(self._count(key, now_s), limit) for key, limit in _keys(account, address)]
        return any(count == limit for count, limit in counts)

    def succeeded(self, account: str) -> None:
        """Forget what failed for an account."""
        with self._lock:
            self._failures.pop(_keys(account, "")[0][0], None)

    def _wait_s(self, key: str, limit: int, now_s: float) -> float:
        since_s, count = self._failures.get(key, (now_s, 0))
        return max(0.0, since_s + WINDOW_S - now_s) if count >= limit else 0.0

    def _count(self, key: str, now_s: float) -> int:
        since_s, count = self._failures.pop(key, (now_s, 0))
        if now_s - since_s >= WINDOW_S:
            since_s, count = now_s, 0
        self._failures[key] = (since_s, count + 1)
        while len(self._failures) > MAX_KEYS:
            self._failures.popitem(last=False)
        return count + 1


def network(address: str) -> str:
    """What one person has of addresses: one of IPv4, 2**64 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)


def _keys(account: str, address: str) -> Sequence[tuple[str, int]]:
    return ((f"account {account[:64]}", PER_ACCOUNT), (f"address {network(address)}", PER_ADDRESS))
