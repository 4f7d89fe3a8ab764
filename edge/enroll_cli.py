"""``canopy enroll`` and ``canopy identity``: how this device gets its certificate, and what it has."""
# ruff: noqa: PLC0415 - cryptography and urllib3 are imported by the commands that use them

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.errors import ConfigError, IdentityError
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.enroll.identity import Identity
    from edge.settings import DeviceSettings


def enroll(
    fleet: Annotated[str, typer.Option("--fleet", help="The fleet service: https://fleet.example:8080")],
    token: Annotated[str, typer.Option("--token", help="Of canopy-fleet device enroll-token; - reads it from stdin.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Get this device's certificate: the key is made here and stays here, the token works once."""
    with errors_told():
        from edge.contract.enrolment import EnrolmentToken, common_name
        from edge.enroll.identity import IdentityFolder
        from edge.enroll.talk import enrol

        settings = read_settings(config)
        try:
            name = common_name(settings.site, settings.device)
            parsed = EnrolmentToken.parse(sys.stdin.readline(1_000) if token == "-" else token)  # noqa: S105
        except ValueError as error:
            raise ConfigError(f"--token: {error}; take it from canopy-fleet device enroll-token, all of it") from error
        folder = IdentityFolder(settings.state_dir)
        found = enrol(folder, name, fleet, parsed)
        show(_document(found, folder.device), as_json, lambda: _enrolled(found, folder.device, settings))


def identity(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Say who this device is to the broker, until when, and whether it could connect now."""
    with errors_told():
        from edge.enroll.identity import ENROL, IdentityFolder, trouble

        folder = IdentityFolder(read_settings(config).state_dir)
        found = folder.read()
        if found is None:
            raise IdentityError(f"this device never enrolled; {ENROL}")
        show(_document(found, folder.device), as_json, lambda: _view(found, folder.device))
        problem = trouble(folder.device, found.certificate)
        if problem:
            raise IdentityError(problem)


def _document(found: "Identity", path: Path) -> dict[str, Any]:
    return {
        "name": found.name,
        "fleet": found.fleet,
        "expires_at": found.expires_at.isoformat(),
        "renew_at": found.renew_at.isoformat(),
        "file": str(path),
    }


def _view(found: "Identity", path: Path) -> str:
    return (
        f"{found.name}, known to {found.fleet}\n"
        f"valid until {found.expires_at:%F %R} UTC, renewed from {found.renew_at:%F} on\n{path}"
    )


def _enrolled(found: "Identity", path: Path, settings: "DeviceSettings") -> str:
    """What was got, and what is still to do."""
    if settings.mqtt and settings.mqtt.tls:
        return f"{_view(found, path)}\nthe broker is reached with it: {settings.mqtt.host}:{settings.mqtt.port}"
    line = "mqtt: { host: …, port: 8883, tls: {} }"
    return f"{_view(found, path)}\nnow say in the device's file that it is used:\n  {line}"
