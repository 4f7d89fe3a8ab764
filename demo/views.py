"""What the demo shows: the plots as they arrive, the progress, the account at the end."""

import re
from collections import defaultdict, deque
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

COLUMNS = {
    "plants": ("plant_count", "{:.0f}"),
    "leaves": ("leaf_count", "{:.0f}"),
    "leaf area px²": ("projected_leaf_area", "{:,.0f}"),
    "cover %": ("canopy_cover", "{:.1%}"),
    "green GLI": ("green_leaf_index", "{:.2f}"),
}
GROWTH = "projected_leaf_area"
STEPS = "▁▂▃▄▅▆▇█"
MAX_STEPS = 20
MAX_PLOTS = 40
REASONS = {"no_plant": "no plant", "not_taken": "not taken", "failed": "failed"}

Document = dict[str, Any]


class PlotsView:
    """The newest observation of each plot, and how its leaf area went since the view began."""

    def __init__(self) -> None:
        self._areas: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MAX_STEPS))
        self._seen: dict[str, str] = {}

    def show(self, latest: list[Document]) -> Table:
        """A table of what the fleet service has now."""
        table = Table(title=_title(latest), title_justify="left", title_style="", pad_edge=False)
        table.add_column("plot", style="bold")
        for heading in COLUMNS:
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("growth", style="green", min_width=MAX_STEPS)
        for observation in sorted(latest, key=_place)[:MAX_PLOTS]:
            plot = observation["plot"]
            self._note_area(observation)
            table.add_row(plot, *_cells(observation), sparkline(list(self._areas[plot])))
        return table

    def _note_area(self, observation: Document) -> None:
        plot, area = observation["plot"], _traits(observation).get(GROWTH)
        if area is not None and self._seen.get(plot) != observation["captured_at"]:
            self._seen[plot] = observation["captured_at"]
            self._areas[plot].append(area)


def sparkline(values: list[float]) -> str:
    """A line of small bars from zero to the largest value."""
    top = max(values, default=0.0)
    return "".join(STEPS[round(value / top * (len(STEPS) - 1))] if top else STEPS[0] for value in values)


def progress_bar() -> Progress:
    """A bar that also does for cameras, which have no end."""
    return Progress(TextColumn("pictures"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())


def summary_table(account: Document) -> Table:
    """Pictures, records and cost of the whole run."""
    table = Table(show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    for name in ("captured", "processed", "dropped", "failed"):
        table.add_row(f"pictures {name}", f"{account[name]:,}")
    table.add_section()
    table.add_row("records appended on the device", f"{account['appended']:,}")
    table.add_row("records delivered to the fleet", f"{account['delivered']:,}")
    table.add_row("duplicates, recognized and discarded", f"{account['duplicates']:,}")
    table.add_row("missing", f"{account['missing']:,}", style="red" if account["missing"] else "green")
    table.add_section()
    table.add_row("step p50 / p95", f"{_ms(account['step_p50_ms'])} / {_ms(account['step_p95_ms'])} ms")
    table.add_row("peak memory of the device", f"{account['peak_rss_bytes'] / 1e6:.0f} MB")
    return table


def _ms(duration_ms: float | None) -> str:
    return "–" if duration_ms is None else f"{duration_ms:.1f}"


def _title(latest: list[Document]) -> str:
    if not latest:
        return "waiting for the first observation …"
    newest = max(observation["captured_at"] for observation in latest)
    more = f", {MAX_PLOTS} shown" if len(latest) > MAX_PLOTS else ""
    return f"as the fleet service has it: {newest[:16].replace('T', ' ')} UTC, {len(latest)} plots{more}"


def _place(observation: Document) -> list[tuple[int, str]]:
    """R2C10 comes after R2C9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", observation["plot"])]


def _traits(observation: Document) -> dict[str, float]:
    return {trait["trait"]: trait["value"] for trait in observation["traits"]}


def _cells(observation: Document) -> list[str]:
    if observation["outcome"] != "measured":
        reasons = observation["quality"] or [REASONS.get(observation["outcome"], "unknown")]
        return [f"[dim]{', '.join(reasons)}[/]", *[""] * (len(COLUMNS) - 1)]
    values = _traits(observation)
    return [form.format(values[trait]) if trait in values else "–" for trait, form in COLUMNS.values()]
