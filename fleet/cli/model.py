"""``canopy-fleet model``: the models that the fleet knows, their aliases, and where each came from and went."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

from pathlib import Path
from typing import Annotated, Any

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

app = typer.Typer(help="Register, name and trace models.", no_args_is_help=True)

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="NAME-VERSION, or CROP@ALIAS.")]


@app.command()
def add(
    package: Annotated[Path, typer.Argument(help="A model package: a zip or a folder.")],
    hardware: Annotated[list[str] | None, typer.Option(help="There is a package for this hardware only.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a model from its package. The package itself is published with canopy-fleet repo publish."""
    with errors_told():
        from fleet import registry

        found = registry.read_package(package)
        with writing(config) as connection:
            new = registry.register(connection, found, person(who), hardware or ())
        ref = found.ref
        if as_json:
            print_json({**ref.model_dump(), "new": new})
        else:
            typer.echo(f"{ref.name} {ref.version} is registered{'' if new else ' already'}")
            typer.echo(ref.digest)


@app.command("list")
def list_models(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the models, the newest first."""
    with errors_told():
        from fleet import registry

        with reading(config) as connection:
            found = registry.list_models(connection)
        if as_json:
            print_json(found)
            return
        rows = [
            (f"{row['name']}-{row['version']}", row["digest"][7:19], row["devices"], ", ".join(row["aliases"]))
            for row in found
        ]
        print_table(("model", "sha256", "devices", "aliases"), rows, "no model is registered: canopy-fleet model add")


@app.command()
def promote(
    model: ModelArgument,
    alias: Annotated[str, typer.Option(help="The name to give: champion, candidate.")],
    crop: Annotated[str, typer.Option(help="For which crop.")],
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Point an alias of a crop to a model. It moves no device: rollouts do."""
    with errors_told():
        from fleet import registry

        with writing(config) as connection:
            found = registry.find(connection, model)
            before = registry.promote(connection, crop, alias, found, person(who))
        if as_json:
            print_json(
                {"crop": crop, "alias": alias, "model": found.model_dump(), "was": before and before.model_dump()}
            )
        else:
            was = f", before: {before.name} {before.version}" if before else ""
            typer.echo(f"{crop}@{alias} is {found.name} {found.version}{was}")


@app.command()
def show(model: ModelArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show a model's lineage: data set, run, commit, package, rollouts, devices, readings."""
    with errors_told():
        from fleet import registry

        with reading(config) as connection:
            found = registry.show(connection, registry.find(connection, model))
        if as_json:
            print_json(found)
        else:
            _print(found)


def _print(found: dict[str, Any]) -> None:
    lineage, made = found["lineage"], found["observations"]
    lines = [
        ("model", f"{found['name']} {found['version']}"),
        ("aliases", ", ".join(found["aliases"]) or "none"),
        ("data set", lineage["dataset"] or "not told"),
        ("run", lineage["run_id"] or "not told"),
        ("commit", lineage["git_commit"] or "not told"),
        ("made", f"{lineage['created_at'][:16]}Z"),
        ("package", found["digest"]),
        ("hardware", ", ".join(found["hardware"] or []) or "any"),
        *[
            ("rollout", f"{one['id']}: {one['state'].replace('_', ' ')}, {one['confirmed']} confirmed")
            for one in found["rollouts"]
        ],
        ("runs on", _named(found["devices"])),
        ("readings", _readings(made)),
    ]
    for label, value in lines:
        typer.echo(f"{label:<8} {value}")


def _named(devices: list[str]) -> str:
    shown = ", ".join(devices[:3]) + (" …" if len(devices) > 3 else "")
    return f"{len(devices)} devices: {shown}" if devices else "no device"


def _readings(made: dict[str, Any]) -> str:
    if not made["count"]:
        return "none yet"
    return f"{made['count']} on {made['devices']} devices, {made['first_at']:%F %R} to {made['last_at']:%F %R} UTC"
