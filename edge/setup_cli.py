"""``canopy setup``: from a fresh image to a believed reading."""
# ruff: noqa: PLC0415 - --help answers before OpenCV would be loaded

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ConfigError
from edge.terminal import DEFAULT_CONFIG, ConfigFile, errors_told

if TYPE_CHECKING:
    from edge.settings import DeviceSettings
    from edge.setup.questions import Questions

Given = str | None
INTERRUPTED = 130
"""What a shell takes for Ctrl-C."""


def setup(
    config: ConfigFile = DEFAULT_CONFIG,
    camera: Annotated[Given, typer.Option(help="/dev/v4l/by-id/…, rtsp://…, a folder or a video.")] = None,
    name: Annotated[Given, typer.Option(help="Name of the camera.")] = None,
    model: Annotated[Given, typer.Option(help="Folder of the model package.")] = None,
    plots: Annotated[Given, typer.Option(help="ROWSxCOLUMNS, whole, or found.")] = None,
    interval: Annotated[Given, typer.Option(help="Seconds between pictures; 0: one a second.")] = None,
    site: Annotated[Given, typer.Option(help="Name of the site.")] = None,
    device: Annotated[Given, typer.Option(help="Name of this device.")] = None,
    broker: Annotated[Given, typer.Option(help="HOST[:PORT], or none.")] = None,
    fleet: Annotated[Given, typer.Option(help="Fleet service to enrol with, https://…, or none.")] = None,
    token: Annotated[Given, typer.Option(envvar="CANOPY_ENROLL_TOKEN", help="For enrolling; works once.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where readings are kept.")] = None,
    service: Annotated[bool | None, typer.Option(help="Install and start the service, or do not.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is proposed.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Replace a configuration that is there.")] = False,
    wait_s: Annotated[float, typer.Option("--wait", min=1, max=3600, help="For the first reading.")] = 60.0,
) -> None:
    """Set this device up: camera, model, plots, fleet; then take a first reading. Ctrl-C changes nothing."""
    given = {
        "camera": camera,
        "name": name,
        "model": model,
        "plots": plots,
        "interval": interval,
        "site": site,
        "device": device,
        "fleet": fleet,
        "broker": broker,
    }
    with errors_told():
        if config.exists() and not again:
            raise ConfigError(
                f"{config} is there already; change it with canopy config set, or begin anew with canopy setup --again"
            )
        asks = not yes and sys.stdin.isatty()
        before = _stamp(config)
        try:
            _set_up(config.absolute(), given, state_dir, service, token=token, asks=asks, wait_s=wait_s)
        except (KeyboardInterrupt, typer.Abort):
            told = "the configuration is written and whole; canopy run measures with it"
            if _stamp(config) == before:
                told = "nothing was changed; your answers are kept, and canopy setup goes on from there"
            typer.echo(f"\nended: {told}", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _stamp(config: Path) -> tuple[int, int] | None:
    """Names a file's content, so that a replaced one is known."""
    return (config.stat().st_ino, config.stat().st_mtime_ns) if config.exists() else None


def _set_up(
    config: Path,
    given: dict[str, Given],
    state_dir: Path | None,
    service: bool | None,
    *,
    token: str | None,
    asks: bool,
    wait_s: float,
) -> None:
    from edge.errors import StoreError
    from edge.lock import is_held
    from edge.setup.answers import forget_answers, read_answers
    from edge.setup.questions import Questions
    from edge.setup.steps import Places, plan, write

    places = Places(config, state_dir.absolute() if state_dir else _usual_state_dir(config), token)
    if is_held(places.state_dir):
        raise StoreError(f"a daemon works in {places.state_dir}; stop it first: sudo systemctl stop canopy")
    options = {option: words for option, words in given.items() if words is not None}
    answers = read_answers(config).model_copy(update=options)
    questions = Questions(config, answers, set(options), asks=asks)
    settings = write(plan(questions, places), places)
    forget_answers(config)
    typer.secho(f"\n{config} is written", fg="green")
    _read_once(settings, wait_s)
    _hand_over(config, questions, service)


def _read_once(settings: "DeviceSettings", wait_s: float) -> None:
    """The first reading, from the camera onto the disk, as the daemon takes it."""
    from edge.setup.screen import show_reading, step
    from edge.setup.trial import first_reading

    step(5, "the first reading")
    typer.echo(f"  waiting for a picture, {wait_s:.0f} s at most")
    show_reading(first_reading(settings, wait_s, typer.echo))
    typer.secho("the device measures; these readings are stored, and go to the fleet if there is one", fg="green")


def _hand_over(config: Path, questions: "Questions", service: bool | None) -> None:
    from edge.setup.service import can_install, install

    why_not = can_install()
    if why_not or service is False:
        typer.echo(why_not or "the service was not installed: sudo canopy service install")
    elif service or questions.confirm("Install the service, so that it measures from now on and after every start?"):
        install(config)
    typer.echo("next: canopy watch, canopy status, canopy doctor")
    if config != DEFAULT_CONFIG:
        typer.echo(f"each with: --config {config}")


def _usual_state_dir(config: Path) -> Path:
    """Where the service keeps its state; beside the configuration for who may not write there."""
    usual = Path("/var/lib/canopy")
    return usual if os.access(usual if usual.is_dir() else usual.parent, os.W_OK) else config.parent / "state"
