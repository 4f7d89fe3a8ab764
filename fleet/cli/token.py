"""``canopy-fleet token``: what programs show instead of a password."""
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
    person,
    print_json,
    print_table,
    reading,
    writing,
)

app = typer.Typer(help="Tokens with which programs use the API.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The program that uses it.")]


@app.command()
def create(
    name: Name,
    scope: Annotated[
        list[str], typer.Option("--scope", "-s", help="read, operate or admin; in one area alone: rollouts:operate.")
    ],
    days: Annotated[int, typer.Option(min=1, max=3_660, help="Valid for so long.")] = 365,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is shown now and never again; a program sends it as ``Authorization: Bearer TOKEN``."""
    with errors_told():
        from fleet.login import tokens

        now = datetime.now(timezone.utc)
        with writing(config) as connection:
            token = tokens.create(connection, name, scope, timedelta(days=days), person(who), now)
        if as_json:
            print_json({"name": name, "token": token, "scopes": scope, "expires_at": now + timedelta(days=days)})
            return
        typer.echo(token)
        typer.echo(f"keep it now: only its hash is stored. Valid for {days} days, for {', '.join(scope)}", err=True)


@app.command("list")
def list_tokens(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what tokens there are, and when each was last used."""
    with errors_told():
        from fleet.login import tokens

        with reading(config) as connection:
            found = tokens.list_tokens(connection)
        if as_json:
            print_json(found)
            return
        rows = [
            (
                one["name"],
                f"{one['expires_at']:%F}",
                f"{one['used_at']:%F %R}" if one["used_at"] else "–",
                one["scopes"],
            )
            for one in found
        ]
        print_table(("name", "expires", "last used (UTC)", "scopes"), rows)


@app.command()
def revoke(name: Name, config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None) -> None:
    """Make a token worthless from now on."""
    with errors_told():
        from fleet.login import tokens

        with writing(config) as connection:
            tokens.revoke(connection, name, person(who))
        typer.echo(f"the token {name} opens nothing any more")
