"""``canopy update``: what is offered to this device, and when it is taken."""
# ruff: noqa: PLC0415 - a technician's command answers before python-tuf would be loaded

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import UpdateError
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.settings import DeviceSettings, UpdateSettings
    from edge.update.slots import Update

app = typer.Typer(no_args_is_help=True, help="Take models from the fleet's repository, or from a stick.")

LOOK_EVERY_S = 0.2

Wait = Annotated[float, typer.Option(min=0, help="How long to wait for the daemon, in seconds.")]


@app.command("check")
def check(
    config: ConfigFile = DEFAULT_CONFIG,
    folder: Annotated[Path | None, typer.Option("--folder", help="A repository that somebody brought.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is offered to this device, who may sign it, and until when that holds. Takes nothing."""
    with errors_told():
        from edge.update.access import open_client
        from edge.update.inventory import find
        from edge.update_views import offers_view

        settings = read_settings(config)
        limits = _limits(settings)
        active = find(settings, "").model
        offers = open_client(limits, settings.state_dir, str(folder) if folder else "").offers(limits.hardware)
        document = {
            "hardware": limits.hardware,
            "active": active.model_dump(mode="json") if active else None,
            "expires_at": offers.expires_at.isoformat(),
            "signed_by": list(offers.signed_by),
            "offers": [
                {"target": each.path, "bytes": each.length_bytes, **each.release.model_dump(mode="json")}
                for each in offers.targets
            ],
        }
        show(document, as_json, lambda: offers_view(offers, active))


@app.command("now")
def now(config: ConfigFile = DEFAULT_CONFIG, wait_s: Wait = 60.0) -> None:
    """Take up the newest version of the model that runs, without waiting for the fleet; also if it failed before."""
    with errors_told():
        settings = read_settings(config)
        if _limits(settings).url is None:
            raise UpdateError("update.url is not set: set it, or bring updates with canopy update import FOLDER")
        _take(settings, "", wait_s, until_copied=False)


@app.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(help="Where the repository is: the folder with metadata and targets.")],
    config: ConfigFile = DEFAULT_CONFIG,
    wait_s: Wait = 600.0,
) -> None:
    """Take up the newest version from a stick: the same metadata, the same checks, no network."""
    with errors_told():
        settings = read_settings(config)
        _limits(settings)
        missing = [name for name in ("metadata", "targets") if not (folder / name).is_dir()]
        if missing:
            raise UpdateError(
                f"{folder} has no {' and no '.join(missing)}: name the folder that holds the fleet's public repository"
            )
        _take(settings, str(folder.resolve()), wait_s, until_copied=True)


@app.command("hold")
def hold(
    config: ConfigFile = DEFAULT_CONFIG,
    release: Annotated[bool, typer.Option("--release", help="Hold no more.")] = False,
) -> None:
    """Let no update begin and none be switched to until it is released; a probation under way goes on."""
    with errors_told():
        from edge.update.request import hold as set_hold

        settings = read_settings(config)
        _limits(settings)
        set_hold(settings.state_dir, held=not release)
        typer.echo("updates go on" if release else "updates are held, until: canopy update hold --release")


def _limits(settings: "DeviceSettings") -> "UpdateSettings":
    if settings.update is None:
        raise UpdateError("update is not configured on this device; see configs/device.yaml for an example")
    return settings.update


def _take(settings: "DeviceSettings", source: str, wait_s: float, *, until_copied: bool) -> None:
    """Ask the daemon for the newest version, and follow it until it has begun, or until the source is not needed."""
    from edge.lock import is_held
    from edge.update.request import Request, ask

    before = _last_update(settings)
    ask(settings.state_dir, Request(what="update", source=source))
    if not is_held(settings.state_dir):
        kept = " Leave the stick in until then." if source else ""
        typer.echo(f"no daemon runs in {settings.state_dir}: it is taken up when one starts.{kept}", err=True)
        return
    update = _wait_for_daemon(settings, before, wait_s, until_copied=until_copied)
    name = f"{update.model.name} {update.model.version}"
    if update.failure:
        raise UpdateError(f"{name} is refused: {update.reason}")
    typer.echo(f"{name} is copied and verified; the stick may go" if until_copied else f"{name} is on its way")
    typer.echo("it is tested before it measures; see canopy model list")


def _wait_for_daemon(
    settings: "DeviceSettings", before: "Update | None", wait_s: float, *, until_copied: bool
) -> "Update":
    from edge.contract.control import Phase
    from edge.update.request import pending, refusal

    give_up_at_s = time.monotonic() + wait_s
    while time.monotonic() < give_up_at_s:
        update = _last_update(settings)
        if update and update != before and not (until_copied and update.phase is Phase.DOWNLOADING):
            return update
        if reason := refusal(settings.state_dir):
            raise UpdateError(reason)
        time.sleep(LOOK_EVERY_S)
    still = "has not heard of it" if pending(settings.state_dir) else "is not done with it"
    raise UpdateError(f"the daemon {still} after {wait_s:.0f} s; see canopy status, canopy model list, and its log")


def _last_update(settings: "DeviceSettings") -> "Update | None":
    from edge.update.slotstore import SlotStore

    return SlotStore(settings.state_dir, settings.inference.package).read().update
