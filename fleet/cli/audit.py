"""``canopy-fleet audit``: read the log of what was changed, and prove that it is what was written."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

import json
from dataclasses import asdict
from typing import Annotated

import typer

from fleet.cli.terminal import DEFAULT_CONFIG, ConfigOption, JsonOption, errors_told, print_json, print_table, reading

app = typer.Typer(help="Who changed what: a log that shows when it was tampered with.", no_args_is_help=True)


@app.command("list")
def list_entries(
    config: ConfigOption = DEFAULT_CONFIG,
    last: Annotated[int, typer.Option(min=1, max=100_000, help="So many of the newest entries.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show the newest entries, oldest first, and the head of the chain."""
    with errors_told():
        from fleet import audit

        with reading(config) as connection:
            found = audit.entries(connection, last)
        if as_json:
            print_json([asdict(entry) | {"detail": json.loads(entry.detail)} for entry in found])
            return
        rows = [
            (entry.seq, f"{entry.at[:16]}Z", entry.who, (entry.digest or "")[7:15], f"{entry.action}: {entry.subject}")
            for entry in found
        ]
        print_table(("no.", "at", "who", "sha256", "what"), rows)
        if found:
            typer.echo(f"head  {found[-1].hash}")


@app.command()
def verify(
    config: ConfigOption = DEFAULT_CONFIG,
    head: Annotated[str | None, typer.Option(help="A head noted earlier, which must still be there.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every entry against the one before; exit code 5 if the log is not what was written."""
    with errors_told():
        from fleet import audit

        with reading(config) as connection:
            count = audit.verify(connection, head)
        if as_json:
            print_json({"ok": True, "entries": count})
        else:
            typer.echo(f"the audit log is whole: {count} entries, each follows from the one before")
