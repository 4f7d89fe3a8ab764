"""What people do around a change of the repository: name keys, read what they sign, sign, and bring copies back."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import typer
from tuf.api.metadata import Root, Targets

from fleet.errors import KeyUnusable
from fleet.repository.change import Change, roles_of
from fleet.repository.folder import AnyMetadata, RepositoryFolder, encode, read_metadata, write_whole
from fleet.repository.issue import put_in_force
from fleet.repository.keys import NamedKey, called, make_key, read_key
from fleet.repository.ring import KeyRing

PASSPHRASE_VARIABLE = "CANOPY_KEY_PASSPHRASE"  # noqa: S105 - the name of it


def settle(folder: RepositoryFolder, change: Change, given: Sequence[NamedKey]) -> None:
    """Sign with what is at hand, let the change wait, and put it in force if enough have signed."""
    ring = ring_of(folder, given)
    for role, name in change.sign(ring):
        typer.echo(f"{role}: signed by {name}")
    change.keep()
    if change.is_complete:
        typer.echo(f"in force: {', '.join(put_in_force(folder, change, ring, now()))}")
        return
    for role in change.roles:
        found = change.standing(role)
        if found.missing:
            typer.echo(f"{role} waits for {found.missing} signature(s) of {', '.join(found.unsigned)}")
    typer.echo(f"sign with: canopy-fleet repo sign --repo {folder.path} --key KEY, or copies of {folder.pending}")


def sign_copy(path: Path, given: Sequence[NamedKey], *, yes: bool) -> None:
    """Sign a copy of a pending file, away from the repository.

    Raises:
        KeyUnusable: no private key was given.
        RepositoryError: it is no metadata.
    """
    signers = [key.signer for key in given if key.signer is not None]
    if not signers or len(signers) < len(given):
        raise KeyUnusable(f"nothing to sign {path} with; name private keys with --key")
    metadata = read_metadata(path)
    show(path.name, metadata)
    if not confirmed(yes=yes):
        return
    for signer in signers:
        metadata.sign(signer, append=True)
    write_whole(path, encode(metadata))
    names = ", ".join(key.name for key in given)
    typer.echo(f"signed by {names}; bring it back, then: canopy-fleet repo sign --merge {path.name}")


def show(role: str, metadata: AnyMetadata) -> None:
    """What somebody is about to sign: which keys will count for what, and which packages are offered."""
    signed = metadata.signed
    typer.echo(f"{role}: version {signed.version}, until {signed.expires:%F}")
    if isinstance(signed, Root | Targets):
        for name in roles_of(signed):
            listed = signed.get_delegated_role(name)
            who = ", ".join(called(signed.get_key(keyid)) for keyid in listed.keyids)
            typer.echo(f"  {name}: {listed.threshold} of {who}")
    for path, target in signed.targets.items() if isinstance(signed, Targets) else ():
        typer.echo(f"  {path}: {target.length} bytes, sha256 {target.hashes.get('sha256')}")


def confirmed(*, yes: bool) -> bool:
    """Whether the person means it."""
    return yes or typer.confirm("Sign this?")


def named_keys(references: Sequence[str] | None) -> list[NamedKey]:
    """The keys of the command line."""
    return [read_key(reference, passphrase) for reference in references or ()]


def made_key(path: Path, *, plain: bool) -> NamedKey:
    """A new key; one without a passphrase is said loudly."""
    if plain:
        typer.secho(f"WARNING: {path} has NO PASSPHRASE. Whoever reads it signs in its name.", fg="red", err=True)
    return make_key(path, "" if plain else passphrase(path.name, new=True))


def made_keys(folder: Path, *, plain: bool) -> dict[str, list[NamedKey]]:
    """The six keys of a repository, by role."""
    names = {
        "root": ("root-1", "root-2", "root-3"), "targets": ("targets",), "snapshot": ("snapshot",),
        "timestamp": ("timestamp",),
    }  # fmt: skip
    made = {
        role: [made_key(folder / f"{name}.pem", plain=plain) for name in of_role] for role, of_role in names.items()
    }
    typer.echo(f"the keys are in {folder}: bring root-1, root-2, root-3 and targets to places apart, offline")
    return made


def ring_of(folder: RepositoryFolder, given: Sequence[NamedKey]) -> KeyRing:
    """The keys at hand: those given, and those that the repository knows."""
    return KeyRing.of(folder, given, passphrase)


def passphrase(name: str, *, new: bool = False) -> str:
    """The passphrase of a key, from the environment or from the person at the terminal.

    Raises:
        KeyUnusable: there is neither.
    """
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise KeyUnusable(f"{name} has a passphrase and nobody can be asked for it; set {PASSPHRASE_VARIABLE}")
    return str(typer.prompt(f"Passphrase of {name}", hide_input=True, confirmation_prompt=new))


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(timezone.utc)
