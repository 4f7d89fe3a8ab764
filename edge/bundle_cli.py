"""``canopy support-bundle``."""
# ruff: noqa: PLC0415 - --help answers before anything is loaded

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ConfigError
from edge.terminal import DEFAULT_CONFIG, ConfigFile, errors_told, read_settings

if TYPE_CHECKING:
    from edge.settings import DeviceSettings


def support_bundle(
    config: ConfigFile = DEFAULT_CONFIG,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The zip to write; absent: canopy-support-….zip here.")
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, max=600, help="Seconds for each check.")] = 20.0,
) -> None:
    """Write what support needs to know into a small zip: state, findings, settings, log; no secrets, no pictures."""
    with errors_told():
        from edge.bundle import write_bundle
        from edge.clock import utc_now

        settings = _settings_or_why_not(config)
        name = "unknown" if isinstance(settings, ConfigError) else f"{settings.site}-{settings.device}"
        target = output or Path(f"canopy-support-{name}-{utc_now():%Y%m%dT%H%M%SZ}.zip")
        try:
            members = write_bundle(settings, target, timeout_s=timeout_s)
        except OSError as error:
            raise ConfigError(f"cannot write {target}: {error}; name another file with --output") from error
        typer.echo(f"{target}: {', '.join(members)}; passwords and keys are taken out")


def _settings_or_why_not(config: Path) -> "DeviceSettings | ConfigError":
    try:
        return read_settings(config)
    except ConfigError as error:
        return error
