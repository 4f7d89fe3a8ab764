"""Who asks over HTTP, and what they may do."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from fastapi import Depends, HTTPException, Request


class Role(IntEnum):
    """What somebody may do; each role may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a program that was recognised. ``name`` is what the audit log writes."""

    name: str
    role: Role


def principal(request: Request) -> Principal:
    """Who asks, as the application's middleware has found out.

    Raises:
        HTTPException: 401, nobody that is known.
    """
    found = getattr(request.state, "principal", None)
    if not isinstance(found, Principal):
        raise HTTPException(401, "log in first")
    return found


def requires(role: Role) -> Any:
    """The dependency of a route that is for ``role`` and above; it gives the ``Principal``."""

    def check(request: Request) -> Principal:
        found = principal(request)
        if found.role < role:
            raise HTTPException(
                403, f"this is for the role {role.name.lower()}; {found.name} is {found.role.name.lower()}"
            )
        return found

    return Depends(check)
