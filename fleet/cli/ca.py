"""``canopy-fleet ca``: the certificate authority of the fleet."""
# ruff: noqa: PLC0415 - the database and cryptography are imported by the commands that use them

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet.cli.terminal import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    errors_told,
    opened,
    print_json,
    print_table,
    settings_of,
)

if TYPE_CHECKING:
    from fleet.ca.folder import CaFolder

app = typer.Typer(help="The authority that signs what devices show to the broker.", no_args_is_help=True)

PASSPHRASE = "CANOPY_CA_PASSPHRASE"  # noqa: S105 - where it is, not what it is


@app.command()
def init(
    name: Annotated[str, typer.Option(help="What the authority is called.")] = "Canopy",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make a root key (encrypted, to be carried away) and an issuing key, with which the service signs devices."""
    with errors_told():
        from cryptography.hazmat.primitives import hashes

        folder = _folder(config)
        root = folder.make(name[:40], _passphrase(confirm=True), datetime.now(timezone.utc))
        typer.echo(
            f"the authority is in {folder.path}; its root has the SHA-256 {root.fingerprint(hashes.SHA256()).hex()}"
        )
        typer.echo(
            f"{folder.root_key} is needed for servers' certificates only: keep it on a stick, and a copy elsewhere"
        )
        typer.echo(
            "next: canopy-fleet ca server HOST, for the broker and for this service; then start the service anew"
        )


@app.command()
def server(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST...", help="The names and addresses it is reached by.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write to [default: server/ in the authority's].")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Sign a certificate for a broker or a fleet service, with the root key and its passphrase."""
    with errors_told():
        folder = _folder(config)
        target = out or folder.path / "server"
        at, key, made = folder.write_server(hosts, _passphrase(confirm=False), target, datetime.now(timezone.utc))
        typer.echo(f"{at}\n{key}\nfor {', '.join(hosts)}, until {made.not_valid_after_utc:%F}")


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Say until when everything is valid, and what to do before."""
    with errors_told():
        from fleet.ca.folder import days_left, read_certificate

        folder, settings = _folder(config), settings_of(config)
        folder.issuer()
        listed = [
            ("root", folder.root, "a new authority, and every device enrols anew"),
            ("issuing", folder.issuing, "a new authority, and every device enrols anew"),
            ("this service at the broker", folder.fleet, "nothing: the service renews it"),
            ("pages", settings.http.tls.certificate if settings.http.tls else None, "canopy-fleet ca server HOST"),
        ]
        found: list[dict[str, Any]] = []
        for what, path, todo in listed:
            if path is not None and path.exists():
                made = read_certificate(path)
                row = {"certificate": what, "until": f"{made.not_valid_after_utc:%F}", "days": days_left(made)}
                found.append({**row, "file": str(path), "then": todo})
        if as_json:
            print_json(found)
            return
        print_table(
            ("certificate", "until", "days", "then"),
            [(row["certificate"], row["until"], row["days"], row["then"]) for row in found],
        )
        typer.echo(f"root key {'is in ' + str(folder.root_key) if folder.root_key.exists() else 'was carried away'}")


@app.command()
def crl(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the list of what is revoked anew, from the store."""
    with errors_told():
        from fleet.ca.upkeep import write_revocations

        folder = _folder(config)
        with opened(config) as store:
            write_revocations(store, folder)
        typer.echo(str(folder.crl))


def _folder(config: Path) -> "CaFolder":
    from fleet.ca.folder import CaFolder

    return CaFolder(settings_of(config).ca_folder)


def _passphrase(*, confirm: bool) -> str:
    """From the environment for scripts, else asked for; never an argument, which everybody could read."""
    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return given
    return str(typer.prompt("passphrase of the root key", hide_input=True, confirmation_prompt=confirm))
