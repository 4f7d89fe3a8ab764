"""How often a login may fail, for an account and for an address, in bounded memory."""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Sequence

MAX_KEYS = 10_000
WINDOW_S = 300.0
PER_ACCOUNT, PER_ADDRESS = 10, 30


class Throttle:
    """Counts tries that did not succeed, in windows of ``WINDOW_S``.

    It holds ``MAX_KEYS`` accounts and addresses; then the one that was tried longest ago is forgotten.

    All times are seconds of one monotonic clock, handed in.
    """

    def __init__(self) -> None:
        self._tries: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, account: str, address: str, now_s: float) -> float:
        """Count a try before it is looked at, so that many at once are counted, too.

        Returns:
            For how long this account, or this address, must not try again; 0: it may, now.
        """
        with self._lock:
            wait_s = self._longest_wait_s(account, address, now_s)
            if not wait_s:
                for key, _ in _keys(account, address):
                    self._count(key, now_s)
            return wait_s

    def is_spent(self, account: str, address: str, now_s: float) -> bool:
        """Whether the next try would have to wait."""
        with self._lock:
            return self._longest_wait_s(account, address, now_s) > 0

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of an account, and that its last try was one of this address."""
        with self._lock:
            (account_key, _), (address_key, _) = _keys(account, address)
            self._tries.pop(account_key, None)
            since_s, count = self._tries.get(address_key, (0.0, 0))
            if count:
                self._tries[address_key] = (since_s, count - 1)

    def _longest_wait_s(self, account: str, address: str, now_s: float) -> float:
        return max(self._wait_s(key, limit, now_s) for key, limit in _keys(account, address))

    def _wait_s(self, key: str, limit: int, now_s: float) -> float:
        since_s, count = self._tries.get(key, (now_s, 0))
        return max(0.0, since_s + WINDOW_S - now_s) if count >= limit else 0.0

    def _count(self, key: str, now_s: float) -> None:
        since_s, count = self._tries.pop(key, (now_s, 0))
        if now_s - since_s >= WINDOW_S:
            since_s, count = now_s, 0
        self._tries[key] = (since_s, count + 1)
        while len(self._tries) > MAX_KEYS:
            self._tries.popitem(last=False)


def network(address: str) -> str:
    """What one person has of addresses: one of IPv4, 2**64 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)


def _keys(account: str, address: str) -> Sequence[tuple[str, int]]:
    return ((f"account {account[:64]}", PER_ACCOUNT), (f"address {network(address)}", PER_ADDRESS))
