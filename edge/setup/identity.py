"""Enrols a device that is being set up: the key is made here, and the token works once."""

from pathlib import Path

from edge.contract.enrolment import EnrolmentToken, common_name
from edge.enroll.identity import IdentityFolder
from edge.enroll.talk import enrol
from edge.errors import ConfigError
from edge.setup.broker import NONE


def enrolled(state_dir: Path, site: str, device: str, fleet: str, token: str | None) -> str | None:
    """The fleet service that this device is known to, after enrolling if it is not yet; None if it is not to.

    Raises:
        ConfigError: there is no token, or it is none.
        CanopyError: the fleet service refuses, or does not answer.
    """
    if fleet.strip().lower() in {NONE, ""}:
        return None
    folder, name = IdentityFolder(state_dir), common_name(site, device)
    found = folder.read()
    if found is not None and found.name == name and found.fleet.rstrip("/") == fleet.rstrip("/"):
        return fleet
    if not token:
        raise ConfigError("enrolling takes a token: canopy-fleet device enroll-token gives one; or answer none")
    try:
        parsed = EnrolmentToken.parse(token)
    except ValueError as error:
        raise ConfigError(f"the token: {error}; take it from canopy-fleet device enroll-token, all of it") from error
    enrol(folder, name, fleet, parsed)
    return fleet
