"""``canopy-fleet user``: who may log in."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

import sys
from enum import Enum
from pathlib import Path
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
from fleet.errors import PlanError

app = typer.Typer(help="Who may log in, and what they may do.", no_args_is_help=True)


class RoleName(str, Enum):
    """Each may do what the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


Name = Annotated[str, typer.Argument(metavar="NAME")]
RoleOption = Annotated[
    RoleName, typer.Option("--role", help="viewer looks, operator steers devices and rollouts, admin all of it.")
]
FileOption = Annotated[
    Path | None, typer.Option("--password-file", help="Read the password from there; - is stdin [default: ask].")
]


@app.command()
def add(
    name: Name,
    role: RoleOption = RoleName.VIEWER,
    password_file: FileOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Let somebody log in."""
    with errors_told():
        from fleet.access import Role
        from fleet.login import users

        password = _password(name, password_file)
        with writing(config) as connection:
            users.add(connection, name, Role[role.name], password, person(who))
        typer.echo(f"{name} may log in as {role.value}")


@app.command("list")
def list_users(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show who may log in."""
    with errors_told():
        from fleet.login import users

        with reading(config) as connection:
            found = users.list_users(connection)
        if as_json:
            print_json(found)
            return
        rows = [(one["name"], one["role"], f"{one['last_login']:%F %R}" if one["last_login"] else "–") for one in found]
        print_table(("name", "role", "last login (UTC)"), rows, f"nobody yet: {users.FIRST}")


@app.command()
def role(
    name: Name,
    role: Annotated[RoleName, typer.Argument(metavar="viewer|operator|admin")],
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Give somebody another role, from their next click on."""
    with errors_told():
        from fleet.access import Role
        from fleet.login import users

        with writing(config) as connection:
            users.set_role(connection, name, Role[role.name], person(who))
        typer.echo(f"{name} is {role.value}")


@app.command("password")
def set_password(
    name: Name, password_file: FileOption = None, config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None
) -> None:
    """Give somebody another password; they have to log in again everywhere."""
    with errors_told():
        from fleet.login import users

        password = _password(name, password_file)
        with writing(config) as connection:
            users.set_password(connection, name, password, person(who))
        typer.echo(f"{name} has a new password, and every session of theirs has ended")


@app.command()
def remove(name: Name, config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None) -> None:
    """Let somebody in no more."""
    with errors_told():
        from fleet.login import users

        with writing(config) as connection:
            users.remove(connection, name, person(who))
        typer.echo(f"{name} cannot log in any more")


def _password(name: str, file: Path | None) -> str:
    """Asked for twice on a terminal; never an argument, which everybody on the machine could read."""
    if file is None:
        return str(typer.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True))
    try:
        text = sys.stdin.read(1_000) if str(file) == "-" else file.read_text(encoding="utf-8")[:1_000]
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(
            f"cannot read the password from {file}: {error}; name a file that this user may read"
        ) from error
    return text.rstrip("\r\n")
