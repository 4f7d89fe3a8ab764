"""``canopy-fleet db``: the store's tables, from release to release."""
# ruff: noqa: PLC0415 - the database is imported by the commands that use it

import typer

from fleet.cli.terminal import DEFAULT_CONFIG, ConfigOption, errors_told, reading, settings_of
from fleet.errors import StoreUnusable

app = typer.Typer(help="The store's tables: bring them up to date, check them.", no_args_is_help=True)


@app.command()
def upgrade(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Bring the store to this release's tables, as the service does when it starts. Make a backup first."""
    with errors_told():
        from fleet import migrations
        from fleet.store import Store

        Store(settings_of(config).database_url, upgrade=True).close()
        typer.echo(f"the store has revision {migrations.known()[0]}")


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say whether the store's tables are this release's, column by column. Changes nothing."""
    with errors_told():
        from fleet import migrations

        with reading(config) as connection:
            found = migrations.differences(connection)
            if found:
                raise StoreUnusable(
                    "somebody changed the store's tables by hand:\n"
                    + "\n".join(f"  {difference}" for difference in found)
                    + "\nundo it, or restore a backup"
                )
            typer.echo(f"the store has revision {migrations.current(connection)}, and its tables are as they should be")
