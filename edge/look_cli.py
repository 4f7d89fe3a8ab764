"""``canopy snapshot``, ``watch``, ``aim`` and ``logs``: what a device sees and says now."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV would be loaded

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ConfigError, NoDaemon
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings

if TYPE_CHECKING:
    from edge.settings import CameraSettings, DeviceSettings

OfCamera = Annotated[str | None, typer.Argument(help="The camera; may be left out where there is one.")]


class Level(str, Enum):
    """How grave a line must be."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def snapshot(
    camera: OfCamera = None,
    config: ConfigFile = DEFAULT_CONFIG,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="FILE.jpg or FILE.png.")] = None,
    overlay: Annotated[bool, typer.Option("--overlay", help="Draw plants, leaves, plots and counts into it.")] = False,
    wait_s: Annotated[
        float, typer.Option("--wait", min=0, max=3600, help="Seconds to wait for the next measured picture.")
    ] = 2.0,
) -> None:
    """Write one picture of a camera to a file, from the running daemon, or from the camera where none runs."""
    with errors_told():
        from edge.snapshot import take

        settings = read_settings(config)
        chosen = _camera(settings, camera)
        target = output or Path(f"{chosen.name}.jpg")
        if target.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
            raise ConfigError(f"{target} is no picture's name; let --output end in .jpg or .png")
        told = take(settings, chosen, target, overlay=overlay, wait_s=wait_s)
        typer.echo(f"{target}: {told}")


def watch(
    config: ConfigFile = DEFAULT_CONFIG,
    camera: Annotated[str | None, typer.Option("--camera", help="Of this camera only.")] = None,
    plot: Annotated[str | None, typer.Option("--plot", help="Of this plot only.")] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End after so many observations.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the traits of every plot as they are measured, until Ctrl-C. With --json one observation a line."""
    with errors_told():
        from edge.watching import watch as watch_now

        settings = read_settings(config)
        if camera is not None:
            _camera(settings, camera)
        watch_now(settings.state_dir, camera, plot, count, as_json=as_json)


def logs(
    config: ConfigFile = DEFAULT_CONFIG,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=2000, help="How many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    level: Annotated[Level, typer.Option("--level", help="As grave as this, or graver.")] = Level.INFO,
) -> None:
    """Show what the daemon has logged; where none runs, what journald has of it."""
    with errors_told():
        from edge.log_source import from_daemon, from_journal

        settings = read_settings(config)
        try:
            for line in from_daemon(settings.state_dir, lines, level.value, follow=follow):
                typer.echo(line)
        except NoDaemon as error:
            from_journal(lines, level.value, follow=follow, why=str(error))
        except KeyboardInterrupt:
            return


def aim(
    camera: OfCamera = None,
    config: ConfigFile = DEFAULT_CONFIG,
    http: Annotated[
        str | None, typer.Option("--http", metavar="[HOST:]PORT", help="Serve a page for the phone instead.")
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, max=120, help="End by itself after so long.")] = 15.0,
    max_fps: Annotated[float, typer.Option("--max-fps", min=0.2, max=10, help="Pictures a second at most.")] = 4.0,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End after so many pictures.")] = None,
    as_json: AsJson = False,
) -> None:
    """Aim and focus a camera: focus score with its best so far, exposure, how straight edges lean, and the picture."""
    with errors_told():
        from edge.aiming import Session, aim_now, aim_over_http

        settings = read_settings(config)
        session = Session(settings, _camera(settings, camera), max_fps=max_fps, lasts_s=minutes * 60, count=count)
        if http is not None:
            aim_over_http(session, http)
        else:
            aim_now(session, as_json=as_json)


def _camera(settings: "DeviceSettings", name: str | None) -> "CameraSettings":
    names = [camera.name for camera in settings.cameras]
    if name is None and len(names) == 1:
        return settings.cameras[0]
    if name not in names:
        asked = f"there is no camera {name}" if name else "name the camera"
        raise ConfigError(f"{asked}; there is {', '.join(names)}")
    return settings.cameras[names.index(name)]
