"""Takes secrets out of texts that leave the device: those that are known, and whatever looks like one."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

MASK: Final = "***"
LEAST_CHARS: Final = 4
"""A shorter secret would be found everywhere; it is taken out where it stands as one."""

_NAMES = r"pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|private[-_]?key|credential|authorization|cookie"
SECRET_NAME: Final = re.compile(_NAMES, re.IGNORECASE)
URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]*://", re.IGNORECASE)

PATTERNS: Final = (
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{1,40}-----(?:.{0,20000}?-----END [A-Z0-9 ]{1,40}-----|.{0,20000})", re.DOTALL
        ),
        MASK,
    ),
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^\s'\"<>]{0,1000}@", re.IGNORECASE), rf"\1{MASK}@"),
    (re.compile(r"(\b(?:rtsps?|rtmps?)://[^\s/'\"<>]{0,1000})/[^\s'\"<>]+", re.IGNORECASE), rf"\1/{MASK}"),
    (re.compile(rf"([?&;](?:{_NAMES}|key|sig|auth)=)[^\s&;'\"]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(bearer|basic|digest)\s+[A-Za-z0-9+/._~=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(rf"((?:{_NAMES})[\w-]{{0,40}}[\"']?\s{{0,9}}[:=]\s{{0,9}}[\"']?)[^\s\"',}}&]+", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{1,4000}\.[A-Za-z0-9_-]*"), MASK),
)
"""PEM blocks; what stands before the host of an address; the path of a camera's; secrets in a query; HTTP's;
assignments; JSON web tokens. Every repetition before a fixed part is bounded: a log of one endless line must not take
hours."""


class Redactor:
    """Knows the secrets of one device."""

    def __init__(self, settings: BaseModel | None) -> None:
        known = {*_of_settings(settings), *_of_environment()} if settings else set(_of_environment())
        self._known = sorted((each for each in known if len(each) >= LEAST_CHARS), key=len, reverse=True)

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def _of_environment() -> Iterator[str]:
    yield from (value for name, value in os.environ.items() if SECRET_NAME.search(name) and value)


def _of_settings(value: object) -> Iterator[str]:
    """Every password, and of every address all but scheme and host: makers put passwords in all other places."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            inner = getattr(value, name)
            if isinstance(inner, str) and SECRET_NAME.search(name):
                yield inner
            yield from _of_settings(inner)
    elif isinstance(value, str) and URL.match(value):
        yield from _of_address(value)
    elif isinstance(value, dict):
        yield from (secret for inner in value.values() for secret in _of_settings(inner))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        yield from (secret for inner in value for secret in _of_settings(inner))


def _of_address(url: str) -> Iterator[str]:
    """User, password, path and query, as they stand and decoded; of a path also each part that has a digit."""
    rest = url.partition("://")[2]
    user, _, host = rest.rpartition("@")
    _, slash, path = host.partition("/")
    pieces = [user, *user.split(":"), f"{slash}{path}" if path else "", path]
    pieces += [part for part in re.split(r"[/?=&#]", path) if any(character.isdigit() for character in part)]
    for piece in filter(None, pieces):
        yield piece
        yield unquote(piece)
