"""``canopy history``: a plot over days, in the terminal."""
# ruff: noqa: PLC0415 - --help answers before anything is loaded

from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import StoreError
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edge.history import DayOf, History

MANY_DAYS = 14


def history(
    plot: Annotated[str, typer.Argument(help="The plot, like R1C1.")],
    config: ConfigFile = DEFAULT_CONFIG,
    trait: Annotated[str | None, typer.Option(help="By its name in docs/traits.md; else the main one.")] = None,
    camera: Annotated[str | None, typer.Option(help="Of this camera only.")] = None,
    days: Annotated[float, typer.Option(min=0.01, max=3650, help="So far back.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Show a trait of a plot over time, as far back as this device still has it (outbox.keep_delivered_s)."""
    with errors_told():
        from pydantic import TypeAdapter

        from edge.history import History, history_of, main_trait, traits_in
        from edge.stored import Selection, stored_records

        settings = read_settings(config)
        since = datetime.now(timezone.utc) - timedelta(days=days)
        selection = Selection(camera=camera, plot=plot, since=since, observations_only=True)
        with stored_records(settings.data_dir) as records:
            seen = [each.content for each in records.all(selection)]
        there = traits_in(seen)
        chosen = trait or main_trait(there)
        found = history_of(seen, chosen, _here()) if chosen else []
        if not found:
            what = f"it has {', '.join(there)}" if there else f"canopy buffer tail --plot {plot} shows what there is"
            raise StoreError(f"there is no {trait or 'reading'} of plot {plot} in the last {days:g} days; {what}")
        document = TypeAdapter(list[History]).dump_python(found, mode="json")
        show(document, as_json, lambda: _view(found))


def _here() -> tzinfo:
    """The machine's own time zone."""
    return datetime.now().astimezone().tzinfo or timezone.utc


def _view(found: "list[History]") -> "RenderableType":
    from rich.console import Group

    return Group(*(part for each in found for part in _one(each)))


def _one(each: "History") -> "list[RenderableType]":
    from rich.text import Text

    from edge.history import sparkline
    from edge.views import facts_table

    facts = facts_table()
    facts.add_row("plot", f"{each.camera}/{each.plot}, {each.trait} in {each.unit or 'no unit'}")
    facts.add_row("", Text(sparkline(each.bars), "green"))
    first, last = (moment.astimezone(_here()).strftime("%Y-%m-%d %H:%M") for moment in (each.first, each.last))
    facts.add_row("time", f"{first} to {last}, {each.readings} readings")
    facts.add_row("value", f"last {each.newest:,.4g}, from {each.least:,.4g} to {each.most:,.4g}")
    if each.growth:
        rate = each.growth
        span = "" if rate.low is None or rate.high is None else f", 95 % between {rate.low:.1%} and {rate.high:.1%}"
        facts.add_row("growth", f"{rate.value:+.1%} a day over {rate.days} days{span}")
    for day in each.days[-MANY_DAYS:]:
        facts.add_row(f"{day.day:%a %d %b}", _day(day))
    return [facts, Text("")]


def _day(day: "DayOf") -> str:
    value = "nothing" if day.value is None else f"{day.value:,.4g}"
    others = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in sorted(day.outcomes.items()) if name != "measured"
    )
    return value + (f"  ({others})" if others else "")
