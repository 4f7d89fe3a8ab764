"""``canopy doctor``."""
# ruff: noqa: PLC0415 - a technician's command answers before OpenCV would be loaded

from dataclasses import asdict
from typing import Annotated

import typer

from edge.terminal import DEFAULT_CONFIG, AsJson, ConfigFile, errors_told, read_settings, show


def doctor(
    config: ConfigFile = DEFAULT_CONFIG,
    only: Annotated[list[str] | None, typer.Option("--only", help="This check only; may be given again.")] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, max=600, help="Seconds for each check.")] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Look at everything that can go wrong, and say the mend. Changes nothing; ends with 1 if something is wrong."""
    with errors_told():
        from edge.doctor import State, run_checks
        from edge.doctor.view import findings_view

        findings = run_checks(read_settings(config), only, timeout_s=timeout_s)
        show([asdict(finding) for finding in findings], as_json, lambda: findings_view(findings))
        wrong = any(finding.state is State.FAIL for finding in findings)
    raise typer.Exit(1 if wrong else 0)
