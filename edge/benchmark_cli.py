"""``canopy benchmark``: what this machine does."""
# ruff: noqa: PLC0415 - runtimes are imported when the command runs, so that --help answers at once

from typing import TYPE_CHECKING, Annotated

import typer

from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edge.benchmark import Benchmark


def benchmark(
    config: ConfigFile = DEFAULT_CONFIG,
    runs: Annotated[int, typer.Option(min=10, max=100_000, help="Runs for each figure.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Measure the network, a whole step and durable writes on this machine, on each runtime that it has."""
    with errors_told():
        from edge.benchmark import run_benchmark

        settings = read_settings(config)
        there = next(each for each in (settings.data_dir, *settings.data_dir.parents) if each.is_dir())
        found = run_benchmark(settings.inference, there, runs, lambda doing: typer.echo(doing, err=True))
        show(found.model_dump(mode="json"), as_json, lambda: _view(found))


def _view(found: "Benchmark") -> "RenderableType":
    from edge.views import facts_table, size

    facts = facts_table()
    facts.add_row("machine", f"{found.board.hardware}, {found.board.cores} cores, {size(found.board.memory_bytes)}")
    facts.add_row("model", found.package)
    for each in found.runtimes:
        if each.speed is None:
            facts.add_row(each.runtime, f"not here: {each.missing.partition(';')[0]}")
            continue
        infer, step = each.speed.infer, each.speed.step
        facts.add_row(
            f"{each.runtime} {each.precision}",
            f"network {infer.p50_ms:.1f} ms, step {step.p50_ms:.1f} ms (p95 {step.p95_ms:.1f}), "
            f"{each.speed.throughput_hz:.0f}/s",
        )
    write = found.write
    facts.add_row("writes", f"{write.records_per_s:,.0f} observations/s, {write.commit_p50_ms:.1f} ms a commit of 50")
    facts.add_row("one commit", f"{write.single_commit_p50_ms:.1f} ms")
    written = "unknown" if write.written_bytes_per_record is None else size(write.written_bytes_per_record)
    facts.add_row("flash", f"{size(write.stored_bytes_per_record)} stored for an observation, {written} written")
    if found.throttled:
        facts.add_row("heat", "the chip was slowed down while this was measured")
    return facts
