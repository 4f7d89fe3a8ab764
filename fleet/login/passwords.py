"""Passwords: argon2id by RFC 9106's second recommendation (64 MiB, 3 passes), which is argon2-cffi's default.

Whoever checks many at once sees to it that they are not too many: each holds 64 MiB.
"""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet.errors import PlanError

MIN_CHARS, MAX_CHARS = 10, 256

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """What the store keeps.

    Raises:
        PlanError: it is too short, or absurdly long.
    """
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise PlanError(
            f"a password has {MIN_CHARS} to {MAX_CHARS} characters, this one has {len(password)}; take a few words"
        )
    return _hasher.hash(password)


def matches(hashed: str | None, password: str) -> bool:
    """Whether it is the one; where there is no user (``None``) this takes as long, so that names cannot be tried."""
    if len(password) > MAX_CHARS:
        return False
    try:
        return _hasher.verify(hashed or _nobodys(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")
