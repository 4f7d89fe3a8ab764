"""``canopy config``: what the settings are, where they come from, and how they are changed."""
# ruff: noqa: PLC0415 - a technician's command answers before pydantic's models would be loaded

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.errors import ControlError, NoDaemon
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.settings import DeviceSettings

app = typer.Typer(no_args_is_help=True, help="Show, check and change the device's configuration.")

FIXED = ("site", "device", "state_dir")

Apply = Annotated[bool, typer.Option("--apply", help="Let the running daemon go over to it at once.")]


@app.command("check")
def check(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Read the file as the daemon would, look at what it names, and say what it means or what is wrong."""
    with errors_told():
        from edge.check import check as look
        from edge.views import settings_view

        settings = read_settings(config)
        manifest = look(settings)
        model = f"{manifest.name} {manifest.version}"
        document = {"model": model, "settings": settings.model_dump(mode="json")}
        show(document, as_json, lambda: settings_view(settings, model))


@app.command("show")
def show_settings(
    config: ConfigFile = DEFAULT_CONFIG,
    effective: Annotated[bool, typer.Option("--effective", help="Every setting, the defaults too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings and where each comes from: file, environment, fleet or default. Secrets stay hidden."""
    with errors_told():
        import yaml

        from edge.config_file import read
        from edge.config_views import origins_view
        from edge.settings.origin import origins
        from edge.wanted import read_kept

        settings = read_settings(config)
        kept = read_kept(settings.state_dir)
        found = origins(settings, yaml.safe_load(read(config)), os.environ, kept.wishes)
        chosen = [each for each in found if effective or each.origin != "default"]
        document = {each.path: {"value": each.value, "from": each.origin} for each in chosen}
        about = {
            "wishes on trial": {} if kept.wishes == kept.proven else kept.wishes,
            "dropped wishes": kept.dropped,
            "refused wishes": _refused(settings),
        }
        show(document, as_json, lambda: origins_view(chosen, {name: each for name, each in about.items() if each}))


@app.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a value
def set_value(
    path: Annotated[str, typer.Argument(help="Which, such as cameras.top.interval_s.")],
    value: Annotated[str, typer.Argument(help="As in the file: 600, true, null, '{kind: grid, rows: 2, columns: 3}'.")],
    config: ConfigFile = DEFAULT_CONFIG,
    apply: Apply = False,
) -> None:
    """Change one setting in the file; comments stay. The whole file is checked first, and undo takes it back."""
    with errors_told():
        from edge.config_file import change
        from edge.settings.edit import value_of

        settings = change(config, path, value_of(value))
        typer.echo(f"{path} is {value} in {config}; canopy config undo takes it back")
        _say_how(settings, path, now=apply)


@app.command("undo")
def undo(config: ConfigFile = DEFAULT_CONFIG, apply: Apply = False) -> None:
    """Take the last change of the file back; once more brings it again."""
    with errors_told():
        from edge.config_file import undo as change_back

        settings = change_back(config)
        typer.echo(f"{config} is as it was before the last change")
        _say_how(settings, "", now=apply)


@app.command("apply")
def apply_file(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Let the running daemon go over to the file as it is now; cameras and model begin anew, nothing is lost."""
    with errors_told():
        from edge.check import check as look

        settings = read_settings(config)
        look(settings)
        _apply(settings)


@app.command("diff")
def diff(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Compare the file with what runs, or with what ran last. Ends with 1 if they differ."""
    with errors_told():
        from edge.config_views import differences_view
        from edge.settings.origin import flattened

        settings = read_settings(config)
        running, wishes, what = _running(settings)
        before, after = flattened(running), flattened(settings.model_dump(mode="json"))
        document = {
            path: {"runs": before.get(path), "file": after.get(path), "fleet": path in wishes}
            for path in [*after, *(path for path in before if path not in after)]
            if before.get(path) != after.get(path)
        }
        show(document, as_json, lambda: differences_view(document, what))
    raise typer.Exit(1 if document else 0)


def _refused(settings: "DeviceSettings") -> dict[str, Any]:
    """What the fleet wants and does not get, and why; only a running daemon knows."""
    from edge.control.client import ask_once
    from edge.control.protocol import AskSettings

    try:
        refused: dict[str, Any] = ask_once(settings.state_dir, AskSettings())["refused"]
    except ControlError:
        return {}
    return refused


def _running(settings: "DeviceSettings") -> tuple[dict[str, Any], dict[str, Any], str]:
    from edge.control.client import ask_once
    from edge.control.protocol import AskSettings
    from edge.settings.applied import read_applied
    from edge.wanted import read_kept

    try:
        body = ask_once(settings.state_dir, AskSettings())
    except NoDaemon as error:
        applied = read_applied(settings.state_dir)
        if applied is None:
            raise NoDaemon(f"{error}; nothing ran here before that the file could be compared with") from error
        return applied, read_kept(settings.state_dir).wishes, "ran last"
    return body["running"], body["wanted"], "runs"


def _say_how(settings: "DeviceSettings", path: str, *, now: bool) -> None:
    """How a change takes effect; at once if that is asked for."""
    from edge.lock import is_held

    if path.split(".", maxsplit=1)[0] in FIXED:
        typer.echo("it takes a restart: sudo systemctl restart canopy")
    elif not is_held(settings.state_dir):
        typer.echo("it is used when the daemon starts")
    elif now:
        _apply(settings)
    else:
        typer.echo("the daemon goes on with what it had, until: canopy config apply")


def _apply(settings: "DeviceSettings") -> None:
    from edge.control.client import ask_once
    from edge.control.protocol import AskReload

    typer.echo(ask_once(settings.state_dir, AskReload())["done"])
