"""An acceptance as the technician reads it, in 80 columns."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge.acceptance.report import Acceptance, Latency, Load
from edge.views import facts_table, size


def acceptance_view(found: Acceptance) -> RenderableType:
    """Verdict first, then what it rests on."""
    verdict = Text("accepted", "bold green") if found.passed else Text("refused", "bold red")
    return Group(
        Text(f"{found.package} on {found.board.hardware}: ").append_text(verdict), _facts(found), _checks(found)
    )


def _facts(found: Acceptance) -> Table:
    facts, board, speed, load = facts_table(), found.board, found.speed, found.load
    facts.add_row("runs on", found.backend)
    for reason in found.passed_over:
        facts.add_row("not on", reason)
    system = ", ".join(filter(None, (board.kernel, board.l4t and f"L4T {board.l4t}", board.power_mode)))
    facts.add_row("system", f"{system}, {board.cores} cores, {size(board.memory_bytes)}")
    if (engine := found.engine) is not None:
        when = "now" if engine.built_now else "before"
        facts.add_row(
            "engine",
            f"{size(engine.plan_bytes)}, built {when} in {engine.build_s:.0f} s for {engine.sku}, sm {engine.sm}",
        )
    facts.add_row("model alone", _latency(speed.infer))
    height_px, width_px = speed.step_picture
    facts.add_row("whole step", f"{_latency(speed.step)}, from {width_px} × {height_px} to traits")
    facts.add_row("throughput", f"{speed.throughput_hz:.1f} pictures/s on {speed.cpu_share:.2f} cores")
    used = "" if load.machine_used_bytes is None else f", {size(load.machine_used_bytes)} less in the machine"
    facts.add_row("memory", f"{size(load.rss_bytes)} now, {size(load.peak_rss_bytes)} at most{used}")
    facts.add_row("power", _power(load))
    if load.temperatures_c:
        warm = sorted(load.temperatures_c.items(), key=lambda each: -each[1])[:4]
        facts.add_row("temperature", ", ".join(f"{name} {degrees:.0f} °C" for name, degrees in warm))
    return facts


def _checks(found: Acceptance) -> Table:
    table = Table.grid(padding=(0, 2))
    for check in found.checks:
        mark = Text("✓", "green") if check.passed else Text("✗", "bold red")
        table.add_row(mark, check.name, check.found)
    return table


def _latency(latency: Latency) -> str:
    return f"{latency.p50_ms:.2f} ms median, {latency.p95_ms:.2f} at p95, {latency.p99_ms:.2f} at p99"


def _power(load: Load) -> str:
    if not load.power_w:
        return "the machine does not say"
    return ", ".join(
        f"{rail} {w:.2f} W (idle {load.idle_power_w.get(rail, 0):.2f})" for rail, w in load.power_w.items()
    )
