"""``canopy model``: what models this device holds, and which one measures."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV and ONNX Runtime would be loaded

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.errors import ModelError, UpdateError
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.settings import DeviceSettings
    from edge.update.request import Request

app = typer.Typer(no_args_is_help=True, help="See and change which model measures.")

Which = Annotated[str, typer.Argument(help="A slot (a, b, factory) or the version in it; empty: the active one.")]


MEMORY_BYTES = 4 * 2**30
"""A verification on demand has no budget but this."""

RUNS = 10


@app.command("list")
def list_models(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show both slots and the factory's package: what each holds, whether it is whole, and which one measures."""
    with errors_told():
        from edge.model_views import models_view
        from edge.update.inventory import inventory
        from edge.update.request import is_held

        settings = read_settings(config)
        slots, holdings = inventory(settings)
        held = is_held(settings.state_dir)
        document = {
            "slots": [each.model_dump(mode="json") for each in holdings],
            "update": slots.update.model_dump(mode="json") if slots.update else None,
            "held": held,
        }
        show(document, as_json, lambda: models_view(slots, holdings, held=held))


@app.command("show")
def show_model(which: Which = "", config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show what a package says of itself: what it counts, where it came from, what it reached."""
    with errors_told():
        from edge.model_views import package_view
        from edge.package import ModelPackage
        from edge.update.inventory import find

        package = ModelPackage.open(find(read_settings(config), which).path)
        document = {"digest": package.digest, "path": str(package.path), **package.manifest.model_dump(mode="json")}
        show(document, as_json, lambda: package_view(package))


@app.command("verify")
def verify_model(which: Which = "", config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Hold a package against its manifest and its golden frames, beside a running daemon. Ends with 4 if it fails."""
    with errors_told():
        from contextlib import closing

        from edge.model_views import verified_view
        from edge.update.gate import check_golden
        from edge.update.inventory import find
        from edge.update.trial import Trial

        settings = read_settings(config)
        held = find(settings, which)
        if held.trouble:
            raise ModelError(f"{held.path}: {held.trouble}")
        with closing(Trial(held.path, settings.inference, MEMORY_BYTES)) as trial:
            backend, frames = trial.load(), check_golden(trial)
            document: dict[str, Any] = {
                "path": str(held.path),
                "model": held.model.model_dump(mode="json") if held.model else None,
                "backend": backend,
                "golden_frames": frames,
                "latency_ms": round(trial.latency_ms(RUNS), 2),
                "peak_bytes": trial.peak_bytes,
            }
        show(document, as_json, lambda: verified_view(document))


@app.command("activate")
def activate(
    version: Annotated[str, typer.Argument(help="The version in the other slot, or: factory.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Measure with what the other slot holds, after the self-test, or with the factory's package, at once."""
    with errors_told():
        from edge.update.inventory import find
        from edge.update.request import Request

        settings = read_settings(config)
        held = find(settings, version)
        if held.active:
            raise UpdateError(f"{version} measures already")
        if held.trouble or held.model is None:
            raise ModelError(f"{held.path}: {held.trouble or 'it holds nothing'}")
        to_factory = held.slot.value == "factory"
        _ask(settings, Request(what="activate", version=None if to_factory else held.model.version))
        what = "it measures within seconds" if to_factory else "it is tested first, then on probation"
        typer.echo(f"asked for {held.model.name} {held.model.version}: {what}\nsee canopy model list")


@app.command("rollback")
def rollback(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Measure with the model before the active one again: at once where a daemon runs, else from its next start."""
    with errors_told():
        from edge.lock import is_held
        from edge.update.inventory import inventory
        from edge.update.request import Request

        settings = read_settings(config)
        slots, holdings = inventory(settings)
        target = next((each for each in holdings if each.slot is (slots.fallback or holdings[0].slot)), holdings[0])
        if target.active:
            raise UpdateError("the factory's package measures; there is no model before it")
        if is_held(settings.state_dir):
            _ask(settings, Request(what="roll_back"))
        else:
            _roll_back_now(settings)
        name = f"{target.model.name} {target.model.version}" if target.model else "the factory's package"
        typer.echo(f"going back to {name} (slot {target.slot.value})")


def _ask(settings: "DeviceSettings", request: "Request") -> None:
    """Leave the wish for the daemon, which is the one that writes.

    Raises:
        UpdateError: this device takes no updates, so nobody would hear.
    """
    from edge.lock import is_held
    from edge.update.request import ask

    if settings.update is None:
        raise UpdateError("update is not configured on this device, so its model stays; see configs/device.yaml")
    ask(settings.state_dir, request)
    if not is_held(settings.state_dir):
        typer.echo(f"no daemon runs in {settings.state_dir}: this waits for the next one", err=True)


def _roll_back_now(settings: "DeviceSettings") -> None:
    """While no daemon runs, whoever holds its lock may write."""
    from edge.lock import only_daemon_in
    from edge.update.slots import Order
    from edge.update.slotstore import SlotStore

    with only_daemon_in(settings.state_dir):
        store = SlotStore(settings.state_dir, settings.inference.package)
        slots = store.read()
        order = Order(revision=slots.order.revision if slots.order else 0)
        store.write(slots.gone_back().ordered(order))
