"""``canopy-fleet device``: what people say of a device, and whether the broker lets it in."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

from datetime import datetime, timedelta, timezone
from typing import Annotated

import typer

from fleet.cli.terminal import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    WhoOption,
    errors_told,
    opened,
    person,
    print_json,
    print_table,
    reading,
    settings_of,
    writing,
)

app = typer.Typer(help="Tags and certificates of devices.", no_args_is_help=True)


Device = Annotated[str, typer.Argument(metavar="SITE/DEVICE")]


@app.command()
def tag(
    device: Device,
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
        from fleet.rollouts import commands

        with writing(config) as connection:
            found = commands.tag(connection, device, tags or [], remove or [], person(who))
        if as_json:
            print_json({"device": device, "tags": found})
        else:
            typer.echo(f"{device}: {', '.join(found) or 'no tags'}")


@app.command("enroll-token")
def enroll_token(
    device: Device,
    ttl: Annotated[str, typer.Option(help="Good for so long: 30m, 24h, 7d.")] = "24h",
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let one device get a certificate, once. The token is shown now and never again."""
    with errors_told():
        from fleet.ca import enrolment
        from fleet.ca.folder import CaFolder
        from fleet.rollouts.options import seconds

        issuer, life, now = CaFolder(settings_of(config).ca_folder).issuer(), timedelta(seconds=seconds(ttl)), _now()
        with writing(config) as connection:
            token = enrolment.make_token(connection, device, life, issuer.digest, person(who), now)
        if as_json:
            print_json({"device": device, "token": str(token), "expires_at": now + life})
            return
        typer.echo(str(token))
        typer.echo(
            f"on {device}, until {now + life:%F %R} UTC: canopy enroll --fleet https://THIS-SERVICE --token …", err=True
        )


@app.command()
def revoke(
    device: Device,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Let a device in no more: its certificates and unused tokens are worthless, and it renews nothing."""
    with errors_told():
        from fleet.ca import enrolment
        from fleet.ca.folder import CaFolder
        from fleet.ca.upkeep import write_revocations

        folder = CaFolder(settings_of(config).ca_folder)
        with opened(config) as store:
            with store.writing() as connection:
                count = enrolment.revoke(connection, device, reason, person(who), _now())
            write_revocations(store, folder)
        typer.echo(f"{device}: {count} certificate{'' if count == 1 else 's'} revoked, and written to {folder.crl}")
        typer.echo("the broker reads it at its restart; a reload (SIGHUP) reads it, too, and leaves connected who is")


@app.command("certificates")
def list_certificates(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the newest certificate of each device, and until when it is valid."""
    with errors_told():
        from fleet.ca import enrolment

        with reading(config) as connection:
            found = enrolment.list_certificates(connection)
        if as_json:
            print_json(found)
            return
        rows = [
            (one["name"], f"{one['not_after']:%F}", f"revoked {one['revoked_at']:%F}" if one["revoked_at"] else "valid"
             if one["not_after"] > _now() else "over", one["serial"])
            for one in found
        ]  # fmt: skip
        print_table(("device", "until", "state", "serial"), rows)


def _now() -> datetime:
    return datetime.now(timezone.utc)


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
        from fleet.errors import NotFound
        from fleet.questions.crops import set_crop

        parts = place.split("/")
        if len(parts) not in {3, 4}:
            raise NotFound(f"{place} is no place; give SITE/DEVICE/CAMERA or SITE/DEVICE/CAMERA/PLOT")
        with writing(config) as connection:
            set_crop(connection, parts[0], parts[1], parts[2], name, plot=parts[3] if len(parts) == 4 else None)
            audit.record(connection, person(who), "crop.set", place, crop=name)
        typer.echo(f"{place}: {name or 'no crop'}")
