"""Shows observations as the daemon makes them: a table that stays in its place, or a line of JSON for each."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge.control.client import ask
from edge.control.protocol import AskWatch
from edge.views import age, listing_table

COLUMNS = {
    "plant_count": "plants",
    "leaf_count": "leaves",
    "fruit_count": "fruit",
    "fruit_count_green": "unripe",
    "fruit_count_turning": "turning",
    "fruit_count_ripe": "ripe",
    "projected_leaf_area": "leaf area",
    "canopy_cover": "cover",
    "greenness": "green",
}
OUTCOMES = {"no_plant": "no plant", "not_taken": "not taken", "failed": "failed"}
UNITS = {"px2": "px²", "mm2": "mm²"}

Observation = dict[str, Any]


def watch(state_dir: Path, camera: str | None, plot: str | None, count: int | None, *, as_json: bool) -> None:
    """Show until ``count`` observations have come, the daemon ends, or Ctrl-C.

    Raises:
        NoDaemon: none runs.
        ControlError: it cannot be asked.
    """
    bodies = ask(state_dir, AskWatch(camera=camera, plot=plot), within_s=None)
    try:
        if as_json:
            _print_lines(bodies, count)
        elif sys.stdout.isatty():
            _keep_table(bodies, count)
        else:
            _print_plain(bodies, count)
    except KeyboardInterrupt:
        return


def _print_lines(bodies: Iterator[dict[str, Any]], count: int | None) -> None:
    for observation, _ in _each(bodies, count):
        print(json.dumps(observation), flush=True)  # noqa: T201 - lines for programs


def _print_plain(bodies: Iterator[dict[str, Any]], count: int | None) -> None:
    """Into a file or a pipe: a line for each observation."""
    for observation, _ in _each(bodies, count):
        cells = (f"{name} {cell}" for name, cell in zip(COLUMNS.values(), _cells(observation), strict=True) if cell)
        told = ", ".join(cells) or _outcome(observation).plain
        at = observation["clock"]["at"][:19].replace("T", " ")
        print(f"{at} {observation['camera']}/{observation['plot']} {told}", flush=True)  # noqa: T201


def _keep_table(bodies: Iterator[dict[str, Any]], count: int | None) -> None:
    console = Console(highlight=False)
    latest: dict[tuple[str, str], Observation] = {}
    missed = 0
    with Live(console=console, auto_refresh=False, vertical_overflow="crop", transient=False) as live:
        live.update(Text("waiting for the next picture; Ctrl-C ends", "dim"), refresh=True)
        for body in _bodies(bodies, count):
            missed = body["missed"]
            latest |= {(each["camera"], each["plot"]): each for each in body["observations"]}
            live.update(table(list(latest.values()), missed, console.height), refresh=True)


def table(latest: list[Observation], missed: int, height: int) -> RenderableType:
    """The newest observation of each plot, in 80 columns; plots that do not fit are counted."""
    used = [name for name in COLUMNS if any(_value(each, name) is not None for each in latest)]
    shown = listing_table("plot", *(COLUMNS[name] for name in used), "outcome", "age")
    for column in shown.columns[1 : 1 + len(used)]:
        column.justify = "right"
    room = max(3, height - 5)
    now = datetime.now(timezone.utc)
    several = len({each["camera"] for each in latest}) > 1
    for each in latest[:room]:
        _add_row(shown, each, used, now, several=several)
    told = [f"{len(latest)} plot{'s' * (len(latest) != 1)}"]
    if len(latest) > room:
        told.append(f"{len(latest) - room} more would not fit: --plot or --camera chooses")
    if missed:
        told.append(f"{missed} came too fast to be shown")
    return Group(shown, Text(f"{'; '.join(told)}; Ctrl-C ends", "dim"))


def _add_row(shown: Table, each: Observation, used: list[str], now: datetime, *, several: bool) -> None:
    name = f"{each['camera']}/{each['plot']}" if several else each["plot"]
    cells = dict(zip(COLUMNS, _cells(each), strict=True))
    since_s = (now - datetime.fromisoformat(each["clock"]["at"].replace("Z", "+00:00"))).total_seconds()
    shown.add_row(name, *(cells[column] for column in used), _outcome(each), age(since_s))


def _cells(observation: Observation) -> list[str]:
    return [_cell(observation, name) for name in COLUMNS]


def _cell(observation: Observation, name: str) -> str:
    trait = _value(observation, name)
    if trait is None:
        return ""
    value, unit = trait["value"], trait["unit"]
    if unit == "count":
        return f"{value:.0f}"
    if unit in {"px2", "mm2"}:
        return f"{value:,.0f} {UNITS[unit]}"
    return f"{value:.1%}" if name == "canopy_cover" else f"{value:.3g}"


def _outcome(observation: Observation) -> Text:
    outcome = observation["outcome"]
    if outcome == "measured":
        return Text("measured", "green")
    why = observation["error"] or ", ".join(filter(None, observation["quality"]))
    told = OUTCOMES.get(outcome, outcome or "unknown")
    return Text(f"{told}: {why}"[:40] if why else told, "yellow" if outcome != "failed" else "red")


def _value(observation: Observation, name: str) -> dict[str, Any] | None:
    if observation["outcome"] != "measured":  # missing is never zero
        return None
    return next((trait for trait in observation["traits"] if trait["trait"] == name), None)


def _each(bodies: Iterator[dict[str, Any]], count: int | None) -> Iterator[tuple[Observation, int]]:
    left = count
    for body in bodies:
        for observation in body["observations"]:
            yield observation, body["missed"]
            if left is not None and (left := left - 1) <= 0:
                return


def _bodies(bodies: Iterator[dict[str, Any]], count: int | None) -> Iterator[dict[str, Any]]:
    seen = 0
    for body in bodies:
        yield body
        seen += len(body["observations"])
        if count is not None and seen >= count:
            return
