"""Cursors: where a page ends, as an opaque word that the next question brings back.

A cursor holds a place in an order and nothing else: what is asked for, and what the asker may see, come with every
question anew. So a cursor that somebody made up or altered shows nothing that the asker could not have asked for.
"""

import base64
import binascii
from typing import Annotated, Any

from fastapi import HTTPException, Query
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

MAX_CURSOR = 512

After = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_CURSOR)] | None,
    Query(description="`next` of the page before; absent: the first page.", examples=[None]),
]


Number = Annotated[int, Field(ge=0, le=2**62)]
"""A number in a place, as every database can hold it."""


class Cursor:
    """Writes and reads the places of one order, values of the type ``place``.

    ``kind`` keeps the cursors of different lists apart.
    """

    def __init__(self, kind: str, place: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(tuple[str, place])
        self._kind = kind

    def write(self, place: Any) -> str:
        """The place as a word that is safe in a URL."""
        return base64.urlsafe_b64encode(self._adapter.dump_json((self._kind, place))).rstrip(b"=").decode()

    def read(self, word: str | None) -> Any:
        """The place that a word stands for; None stands for the beginning.

        Raises:
            HTTPException: 400, it is no cursor of this list.
        """
        if word is None:
            return None
        try:
            text = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
            kind, place = self._adapter.validate_json(text)
        except (binascii.Error, ValueError, ValidationError) as error:
            raise _no_cursor(word) from error
        if kind != self._kind:
            raise _no_cursor(word)
        return place


def _no_cursor(word: str) -> HTTPException:
    return HTTPException(400, f"after={word[:40]!r} is no cursor of this list; take next of a page, or leave it out")
