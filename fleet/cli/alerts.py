"""``canopy-fleet alerts``: what needs somebody now, what is over, and what shall be quiet."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

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
    settings_of,
    writing,
)

if TYPE_CHECKING:
    from fleet.alerts.book import Silence

app = typer.Typer(help="What needs somebody now.", no_args_is_help=True)


@app.command("list")
def list_alerts(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what fires now, and what is silenced."""
    with errors_told():
        from fleet.alerts.book import silences, standing

        now = datetime.now(timezone.utc)
        with reading(config) as connection:
            firing = [alert for _, alert in sorted(standing(connection).items()) if alert.firing]
            quiet = silences(connection, now)
        rows = [(alert, next((each for each in quiet if each.covers(alert.subject, now)), None)) for alert in firing]
        if as_json:
            print_json([{**asdict(alert), "silenced": each and asdict(each)} for alert, each in rows])
            return
        headings = ("alert", "about", "since (UTC)", "what", "")
        print_table(
            headings,
            [
                (alert.subject.rule.value, str(alert.subject), f"{alert.raised_at:%F %R}", alert.told, _quiet(each))
                for alert, each in rows
            ],
        )


@app.command()
def past(
    config: ConfigOption = DEFAULT_CONFIG,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what is over, the newest first."""
    with errors_told():
        from fleet.alerts.book import past as over

        with reading(config) as connection:
            found = over(connection, count)
        if as_json:
            print_json([asdict(each) for each in found])
            return
        headings = ("alert", "about", "from (UTC)", "to", "what")
        print_table(
            headings,
            [
                (
                    each.subject.rule.value,
                    str(each.subject),
                    f"{each.raised_at:%F %R}",
                    f"{each.cleared_at:%F %R}",
                    each.told,
                )
                for each in found
            ],
        )


@app.command()
def silence(
    about: Annotated[str, typer.Argument(metavar="SITE[/DEVICE[/CAMERA]]", help="Or - for everything.")],
    hours: Annotated[float, typer.Option(min=0.01, max=2160, help="For how long.")],
    why: Annotated[str, typer.Option(help="What the others should know of it.")],
    rule: Annotated[str | None, typer.Option(help="Only this kind of alert: offline, gap, drift …")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    who: WhoOption = None,
) -> None:
    """Tell nobody for a while: a site is rebuilt, a device is in the workshop."""
    with errors_told():
        from fleet.alerts.book import Silence
        from fleet.alerts.book import silence as keep_quiet
        from fleet.alerts.rules import Rule
        from fleet.errors import PlanError

        site, device, camera = _place(about)
        if rule is not None and rule not in {each.value for each in Rule}:
            raise PlanError(f"there is no alert {rule!r}; there are {', '.join(each.value for each in Rule)}")
        now = datetime.now(timezone.utc)
        until = now + timedelta(hours=hours)
        wanted = Silence(until, why, person(who), Rule(rule) if rule else None, site, device, camera)
        with writing(config) as connection:
            keep_quiet(connection, wanted, now)
        typer.echo(f"quiet until {until:%F %R} UTC")


@app.command("test")
def send_test(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Send a message to every address in CANOPY_NOTIFY, and say whether it was taken."""
    with errors_told():
        from fleet.alerts.notify import Notifier
        from fleet.errors import ConfigError, FleetError

        notifier = Notifier(settings_of(config).alerts.notify)
        if not len(notifier):
            raise ConfigError("CANOPY_NOTIFY names nobody; set it to one or more addresses, as mailto:// or jsons://")
        if not notifier.send("Canopy: a test", "Alerts reach this address."):
            raise FleetError("not every address took the message; check them one after the other")
        typer.echo(f"{len(notifier)} addresses took the message")


def _quiet(silence: "Silence | None") -> str:
    return "" if silence is None else f"silenced until {silence.until:%F %R}: {silence.why}"


def _place(about: str) -> tuple[str | None, str | None, str | None]:
    if about == "-":
        return None, None, None
    site, device, camera, *_ = [*about.split("/"), None, None]
    return site, device, camera
