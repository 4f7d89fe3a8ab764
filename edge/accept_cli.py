"""``canopy accept``: the one command that proves a model on a machine."""

# ruff: noqa: PLC0415 - runtimes are imported when the command runs, so that --help answers at once

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ModelError
from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show

if TYPE_CHECKING:
    from edge.settings import InferenceSettings


def accept(
    config: ConfigFile = DEFAULT_CONFIG,
    package: Annotated[
        Path | None, typer.Option("--package", help="A model package; absent: the configured one.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="What shall run it, like tensorrt or cpu; absent: as configured.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="A folder with pictures of your own to compare on.")] = None,
    runs: Annotated[int, typer.Option(min=10, max=100_000, help="Runs for each figure.")] = 300,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the report.")] = Path("accept.json"),
    as_json: AsJson = False,
) -> None:
    """Build the engine, compare it with the package and the CPU, measure, and write a report to send back."""
    with errors_told():
        from edge.acceptance.accept import accept as run_acceptance
        from edge.acceptance.pictures import pictures_in
        from edge.acceptance.view import acceptance_view
        from edge.lines import replaced_file

        inference = _inference_settings(config, package, backend)
        found = run_acceptance(inference, pictures_in(pictures) if pictures else [], runs, _tell_progress)
        with replaced_file(output) as file:
            file.write(found.model_dump_json(indent=1) + "\n")
        show(found, as_json, lambda: acceptance_view(found))
        typer.echo(f"the report is in {output}", err=True)
    raise typer.Exit(0 if found.passed else ModelError.exit_code)


def _tell_progress(share: float, doing: str) -> None:
    typer.echo(f"{share:4.0%} {doing}", err=True)


def _inference_settings(config: Path, package: Path | None, backend: str | None) -> "InferenceSettings":
    """The configured ones, with what the command line says instead; a package alone will do where nothing is yet."""
    from edge.settings import InferenceSettings, checked

    said = {name: value for name, value in (("package", package), ("backend", backend)) if value is not None}
    configured = {} if package and not config.exists() else dict(read_settings(config).inference)
    return checked(InferenceSettings, {**configured, **said}, "the command line")
