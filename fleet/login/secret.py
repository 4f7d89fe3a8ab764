"""Secrets that open a door: made at random, shown once, kept as their SHA-256.

They have 256 bits, so a plain hash is enough: nobody finds one by trying, as they would a password.
"""

import hashlib
import secrets

MAX_SECRET_CHARS = 128


def new_secret() -> str:
    """43 characters that are safe in a URL, a header and a cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What the store keeps of a secret: 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
