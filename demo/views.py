"""What the demo shows: the plots as they arrive, the progress, the account at the end."""

import re
from collections import defaultdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

COLUMNS = {
    "plants": ("plant_count", "{:.0f}"),
    "leaves": ("leaf_count", "{:.0f}"),
    "leaf area px²": ("projected_leaf_area", "{:,.0f}"),
    "cover": ("canopy_cover", "{:.1%}"),
    "GLI": ("green_leaf_index", "{:.2f}"),
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
        self.newest: str | None = None
        self._areas: dict[str, dict[str, float]] = defaultdict(dict)

    def note_growth(self, observations: list[Document]) -> None:
        """Remember leaf areas; one that is known already changes nothing."""
        for observation in observations:
            moment = observation["taken_at"]
            self._areas[observation["plot"]][moment] = _traits(observation)[GROWTH]
            self.newest = max(self.newest or moment, moment)

    def show(self, latest: list[Document]) -> Table:
        """A table of what the fleet service has now."""
        table = Table(title=_title(latest), title_justify="left", title_style="dim", box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("plot", style="bold")
        for heading in COLUMNS:
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("growth", style="green", min_width=MAX_STEPS, no_wrap=True)
        for observation in sorted(latest, key=_place)[:MAX_PLOTS]:
            areas = self._areas[observation["plot"]]
            growth = sparkline([areas[moment] for moment in sorted(areas)])
            table.add_row(observation["plot"], *_cells(observation), growth)
        return table


def sparkline(values: list[float]) -> str:
    """Small bars from zero to the largest value, evenly picked if there are many."""
    count = min(len(values), MAX_STEPS)
    picked = [values[(index + 1) * len(values) // count - 1] for index in range(count)]
    top = max(picked, default=0.0)
    return "".join(STEPS[round(value / top * (len(STEPS) - 1))] if top else STEPS[0] for value in picked)


def progress_bar() -> Progress:
    """A bar that also does for cameras, which have no end."""
    return Progress(TextColumn("pictures"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())


def summary_table(account: Document) -> Table:
    """Pictures, records and cost of the whole run."""
    table = Table(show_header=False, box=SIMPLE_HEAD, pad_edge=False)
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
    shown = f", {MAX_PLOTS} of {len(latest)} plots" if len(latest) > MAX_PLOTS else ""
    return f"what the fleet has, up to {newest[:16].replace('T', ' ')} UTC{shown}"


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
