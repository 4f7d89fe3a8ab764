"""``canopy-fleet device``: what people say of a device."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

from typing import Annotated

import typer

from fleet.terminal import DEFAULT_CONFIG, ConfigOption, JsonOption, WhoOption, errors_told, person, print_json, writing

app = typer.Typer(help="What people say of a device.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """What people say of a device."""


@app.command()
def tag(
    device: Annotated[str, typer.Argument(metavar="SITE/DEVICE")],
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG|KEY=VALUE]...", help="Tags to add.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", "-r", help="A tag to take away.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add or take away tags, which rollouts select devices by; without any, show them.

    Failures of devices that share a KEY=VALUE are looked at together, as those of one hardware are.
    """
    with errors_told():
        from fleet import commands

        with writing(config) as connection:
            found = commands.tag(connection, device, tags or [], remove or [], person(who))
        if as_json:
            print_json({"device": device, "tags": found})
        else:
            typer.echo(f"{device}: {', '.join(found) or 'no tags'}")


@app.command()
def crop(
    place: Annotated[str, typer.Argument(metavar="SITE/DEVICE/CAMERA[/PLOT]")],
    name: Annotated[
        str | None, typer.Argument(metavar="[CROP]", help="What grows there; without it, not known.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Say what grows before a camera, or on one of its plots, which goes before what is said of the camera."""
    with errors_told():
        from fleet import audit
        from fleet.crops import set_crop
        from fleet.errors import NotFound

        parts = place.split("/")
        if len(parts) not in {3, 4}:
            raise NotFound(f"{place} is no place; give SITE/DEVICE/CAMERA or SITE/DEVICE/CAMERA/PLOT")
        with writing(config) as connection:
            set_crop(connection, parts[0], parts[1], parts[2], name, plot=parts[3] if len(parts) == 4 else None)
            audit.record(connection, person(who), "crop.set", place, crop=name)
        typer.echo(f"{place}: {name or 'no crop'}")
