"""Enrols a device that is being set up, where this release can: the key is made here, and the token works once."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from edge.errors import ConfigError
from edge.setup.broker import NONE


def can_enrol() -> bool:
    """Whether this release knows enrolment."""
    return importlib.util.find_spec("edge.enroll") is not None


def enrolled(state_dir: Path, site: str, device: str, fleet: str, token: str | None) -> str | None:
    """The fleet service that this device is known to, after enrolling if it is not yet; None if it is not to.

    Raises:
        ConfigError: there is no token, or it is none.
        CanopyError: the fleet service refuses, or does not answer.
    """
    if fleet.strip().lower() in {NONE, ""}:
        return None
    contract: Any = importlib.import_module("edge.contract.enrolment")
    identity: Any = importlib.import_module("edge.enroll.identity")
    talk: Any = importlib.import_module("edge.enroll.talk")
    folder, name = identity.IdentityFolder(state_dir), contract.common_name(site, device)
    found = folder.read()
    if found is not None and found.name == name and found.fleet.rstrip("/") == fleet.rstrip("/"):
        return fleet
    if not token:
        raise ConfigError("enrolling takes a token: canopy-fleet device enroll-token gives one; or answer none")
    try:
        parsed = contract.EnrolmentToken.parse(token)
    except ValueError as error:
        raise ConfigError(f"the token: {error}; take it from canopy-fleet device enroll-token, all of it") from error
    talk.enrol(folder, name, fleet, parsed)
    return fleet
