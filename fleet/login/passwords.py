"""Passwords: argon2id by RFC 9106's second recommendation (64 MiB, 3 passes), which is argon2-cffi's default."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet.errors import PlanError

MIN_CHARS, MAX_CHARS = 10, 256
_AT_ONCE = 2
"""Each check holds 64 MiB: many logins at once must not fill the memory."""

_hasher = PasswordHasher()
_checking = threading.BoundedSemaphore(_AT_ONCE)


def hash_password(password: str) -> str:
    """What the store keeps.

    Raises:
        PlanError: it is too short, or absurdly long.
    """
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise PlanError(
            f"a password has {MIN_CHARS} to {MAX_CHARS} characters, this one has {len(password)}; take a few words"
        )
    with _checking:
        return _hasher.hash(password)


def matches(hashed: str | None, password: str) -> bool:
    """Whether it is the one; where there is no user (``None``) this takes as long, so that names cannot be tried."""
    if len(password) > MAX_CHARS:
        return False
    with _checking:
        try:
            return _hasher.verify(hashed or _nobodys(), password) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")
