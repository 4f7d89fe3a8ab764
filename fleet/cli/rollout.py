"""``canopy-fleet rollout``: bring a model to the devices in waves, watch it, stop it, take it back."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

import time
from datetime import datetime, timezone
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
    reading,
    say,
    settings_of,
    writing,
)
from fleet.errors import PlanError

app = typer.Typer(help="Bring a model to the devices in waves.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ROLLOUT")]
WhyOption = Annotated[str, typer.Option("--why", help="A reason, for the audit log and the page.")]

_POLL_S = 1.0


@app.command()
def create(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="NAME-VERSION, or CROP@ALIAS.")] = None,
    ab: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Two models, each on half of the devices.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="The whole plan as YAML; the options below are for short ones.")
    ] = None,
    waves: Annotated[str, typer.Option(help="Percentages, each with the earlier ones in it.")] = "5,25,100",
    canary: Annotated[list[str] | None, typer.Option(help="A first wave: all devices with this tag.")] = None,
    site: Annotated[list[str] | None, typer.Option(help="This site only.")] = None,
    hardware: Annotated[list[str] | None, typer.Option(help="This hardware only.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Devices with this tag only.")] = None,
    soak: Annotated[str, typer.Option(help="How long a wave must stay good: 90s, 30min, 6h.")] = "1h",
    min_executed: Annotated[int, typer.Option(min=1, help="So many must have ended before shares count.")] = 3,
    success: Annotated[float, typer.Option(min=1, max=100, help="Percent that must have confirmed.")] = 95.0,
    errors: Annotated[float, typer.Option(min=0, max=100, help="Percent that may fail.")] = 10.0,
    window: Annotated[str | None, typer.Option(help="Switch only then, local time: 22:00-05:00.")] = None,
    night: Annotated[bool, typer.Option(help="Switch only while the cameras see no light.")] = False,
    give_up: Annotated[str, typer.Option(help="What a device has for it all, the window included.")] = "2d",
    on_halt: Annotated[str, typer.Option(help="roll_back, or stop: what has it keeps it.")] = "roll_back",
    retry: Annotated[bool, typer.Option(help="Also where this version was refused before.")] = False,
    may_disagree: Annotated[
        bool, typer.Option("--may-disagree", help="The model before is known to err: it need not agree with it.")
    ] = False,
    rollout_id: Annotated[str | None, typer.Option("--id", help="A name [default: from the model].")] = None,
    dry_run: Annotated[bool, typer.Option(help="Show who would be in which wave; change nothing.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a rollout; the running service carries it out."""
    with errors_told():
        from fleet import registry
        from fleet.rollouts import commands, options, text, views
        from fleet.rollouts.plan import load_plan, make_plan
        from fleet.updates import offered

        if (model is None) == (ab is None):
            raise PlanError("name one MODEL, or two with --ab A B")
        if plan is not None:
            made = load_plan(plan)
        else:
            made = make_plan(
                {
                    "waves": options.waves(waves, canary or [], soak, min_executed, success, errors),
                    "select": {"sites": site or [], "hardware": hardware or [], "tags": tag or []},
                    "on_halt": on_halt,
                    "window": options.window(window, night=night),
                    "give_up_after_s": options.seconds(give_up),
                    "retry": retry,
                    "may_disagree": may_disagree,
                },
                "what the options say",
            )
        repository = settings_of(config).updates.repository
        published = offered(repository) if repository is not None else None
        spoken = ab if ab is not None else (str(model),)
        with writing(config) as connection:
            models = [registry.find(connection, one) for one in spoken]
            rollout = commands.create(connection, models, made, person(who), rollout_id, published)
            found = views.rollout(connection, rollout.id)
            if dry_run:
                connection.rollback()
        if as_json:
            print_json(found)
        else:
            text.print_rollout(found)
            typer.echo("nothing was changed" if dry_run else f"follow it: canopy-fleet rollout status {found['id']}")


@app.command()
def status(
    rollout_id: Annotated[str | None, typer.Argument(metavar="[ROLLOUT]")] = None,
    devices: Annotated[bool, typer.Option("--devices", help="Every device, not only those that failed.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for its end; exit code 1 if that is not done.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show one rollout, or list all."""
    with errors_told():
        from fleet.rollouts import text, views

        if rollout_id is None:
            with reading(config) as connection:
                rollouts = views.list_rollouts(connection)
            print_json(rollouts) if as_json else text.print_list(rollouts)
            return
        while True:
            with reading(config) as connection:
                found = views.rollout(connection, rollout_id)
            if not wait or found["state"] not in {"running", "paused"}:
                break
            time.sleep(_POLL_S)
        if as_json:
            print_json(found)
        else:
            text.print_rollout(found)
            text.print_devices(found, every=devices)
        if wait and found["state"] != "done":
            raise typer.Exit(1)


@app.command()
def pause(
    rollout_id: IdArgument, why: WhyOption = "", config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None
) -> None:
    """Tell no further device; what is under way goes on."""
    _steer(config, rollout_id, "paused", who, why)


@app.command()
def resume(rollout_id: IdArgument, config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None) -> None:
    """Go on after a pause."""
    _steer(config, rollout_id, "running", who, "")


@app.command()
def abort(
    rollout_id: IdArgument, why: WhyOption = "", config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None
) -> None:
    """End it: what is under way is called off, devices that confirmed the model keep it."""
    _steer(config, rollout_id, "aborted", who, why)


@app.command()
def rollback(
    rollout_id: IdArgument, why: WhyOption = "", config: ConfigOption = DEFAULT_CONFIG, who: WhoOption = None
) -> None:
    """End it and send every device back to the model that it had before, also long after."""
    _steer(config, rollout_id, "rolled_back", who, why)


@app.command()
def compare(
    rollout_id: IdArgument,
    since: Annotated[
        datetime | None, typer.Option(help="Begin of the period, UTC [default: the last to confirm].")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Compare the traits that the two versions of an A/B rollout measure. A device counts once, by its mean."""
    with errors_told():
        from fleet.rollouts.text import print_trial
        from fleet.rollouts.trial import compare_arms

        with reading(config) as connection:
            trial = compare_arms(connection, rollout_id, since and since.replace(tzinfo=timezone.utc))
        print_json(trial.document()) if as_json else print_trial(trial)


def _steer(config: Path, rollout_id: str, state: str, who: str | None, why: str) -> None:
    with errors_told():
        from fleet.rollouts import commands, views
        from fleet.rollouts.rollout import State

        with writing(config) as connection:
            commands.steer(connection, rollout_id, State(state), person(who), why)
            found = views.rollout(connection, rollout_id)
        say(f"{rollout_id}: {found['says']}")
