"""``canopy-fleet repo``: the update repository and its keys. ``docs/updates.md`` tells who does what when."""
# ruff: noqa: PLC0415 - cryptography and python-tuf are imported by the commands that use them

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.errors import KeyUnusable, RepositoryError
from fleet.terminal import errors_told, print_json, print_table

if TYPE_CHECKING:
    from fleet.repository.change import Change
    from fleet.repository.folder import AnyMetadata, RepositoryFolder
    from fleet.repository.keys import NamedKey
    from fleet.repository.ring import KeyRing

repo_app = typer.Typer(
    help="Publish models to devices: packages under signature, keys, and what waits for signatures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

PASSPHRASE_VARIABLE = "CANOPY_KEY_PASSPHRASE"  # noqa: S105 - the name of it
Repo = Annotated[Path, typer.Option("--repo", "-r", envvar="CANOPY_REPO", help="The repository's folder.")]
Keys = Annotated[
    list[str] | None, typer.Option("--key", "-k", help="Sign with this key: a PEM file, or URI@PUBLIC.pem. Repeatable.")
]
Plain = Annotated[bool, typer.Option("--no-passphrase", help="Leave the key unencrypted; whoever reads it signs.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How long its signature holds, in days.")]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without asking.")]
DEFAULT_REPO = Path("updates")


@repo_app.command()
def key(
    path: Annotated[Path, typer.Argument(help="The new file; PATH.pub is made too.")], plain: Plain = False
) -> None:
    """Make a key. Only PATH.pub leaves this machine."""
    with _errors():
        made = _made(path, plain=plain)
        typer.echo(f"{path} is the secret, {path}.pub is for others; the key is called {made.name}, its digest is")
        typer.echo(made.public.keyid)


@repo_app.command()
def init(
    repo: Repo = DEFAULT_REPO,
    root: Annotated[list[str] | None, typer.Option(help="A key of root: PEM, private or public. Repeatable.")] = None,
    targets: Annotated[list[str] | None, typer.Option(help="A key of targets. Repeatable.")] = None,
    snapshot: Annotated[str | None, typer.Option(help="The online key of snapshot.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="The online key of timestamp.")] = None,
    root_threshold: Annotated[int, typer.Option(min=1, help="How many keys sign root.")] = 2,
    targets_threshold: Annotated[int, typer.Option(min=1, help="How many keys sign targets.")] = 1,
    make_keys: Annotated[
        Path | None, typer.Option(help="Make all six keys in this folder, for a site with one person.")
    ] = None,
    plain: Plain = False,
    root_days: Days = 365,
    targets_days: Days = 90,
    hardware_days: Days = 60,
    snapshot_days: Days = 7,
    timestamp_days: Days = 2,
) -> None:
    """Begin a repository. It is served from its folder public/, once enough keys have signed the first root."""
    with _errors():
        from fleet.repository.folder import Policy
        from fleet.repository.roles import begin

        if make_keys is not None:
            keys = _made_keys(make_keys, plain=plain)
        else:
            online = {"snapshot": [snapshot] if snapshot else [], "timestamp": [timestamp] if timestamp else []}
            named = {"root": root or [], "targets": targets or []} | online
            keys = {role: _read(of_role) for role, of_role in named.items()}
        policy = Policy(
            root=root_days, targets=targets_days, hardware=hardware_days, snapshot=snapshot_days,
            timestamp=timestamp_days,
        )  # fmt: skip
        folder = _folder(repo)
        thresholds = {"root": root_threshold, "targets": targets_threshold}
        change = begin(folder, keys, thresholds, policy, _now())
        with folder.locked():
            _settle(folder, change, [each for of_role in keys.values() for each in of_role])


@repo_app.command()
def add_key(
    role: Annotated[str, typer.Argument(help="root, targets, snapshot, timestamp, or a hardware, which may be new.")],
    new: Annotated[str, typer.Argument(help="The key: a PEM file, private or public, or URI@PUBLIC.pem.")],
    repo: Repo = DEFAULT_REPO,
    threshold: Annotated[int | None, typer.Option(min=1, help="How many keys sign from now on.")] = None,
    keys: Keys = None,
) -> None:
    """Let one more key sign for a role; a new role is that of a hardware, and signs its packages."""
    with _errors(), _changing(repo) as (folder, change):
        from fleet.repository import roles

        added = _read([new])[0]
        roles.add_key(folder, change, role, added, threshold)
        _settle(folder, change, [added, *_read(keys or [])])


@repo_app.command()
def rotate(
    role: Annotated[str, typer.Argument(help="Whose key is replaced.")],
    repo: Repo = DEFAULT_REPO,
    old: Annotated[
        str | None, typer.Option(help="The key that goes: its name, or the beginning of its digest.")
    ] = None,
    new: Annotated[str | None, typer.Option(help="The key that comes.")] = None,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="The old key is stolen or lost: never sign with it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    keys: Keys = None,
) -> None:
    """Replace a key, or take it away."""
    with _errors(), _changing(repo) as (folder, change):
        from fleet.repository import roles

        coming = None if new is None else _read([new])[0]
        plan = roles.rotate(change, role, old, coming, revoke=revoke)
        typer.echo(f"{plan.role}: {plan.leaves} goes, {plan.comes or 'none'} comes")
        for signed, who in sorted(plan.signs.items()):
            typer.echo(f"  {signed} version {change.roles[signed].signed.version} needs signatures: {who}")
        typer.echo(f"  seen by {plan.devices}")
        if dry_run:
            typer.echo("nothing was changed")
            return
        roles.note_keys(folder, change, role, coming, revoke=revoke)
        _settle(folder, change, [*([coming] if coming else []), *_read(keys or [])])


@repo_app.command()
def renew(
    role: Annotated[str, typer.Argument(help="root, targets, or a hardware.")],
    repo: Repo = DEFAULT_REPO,
    keys: Keys = None,
) -> None:
    """Sign a role again before it expires, as it is."""
    with _errors(), _changing(repo) as (folder, change):
        from fleet.repository import roles

        roles.renew(change, role)
        _settle(folder, change, _read(keys or []))


@repo_app.command()
def sign(
    keys: Keys = None,
    repo: Repo = DEFAULT_REPO,
    copy: Annotated[
        Path | None, typer.Option(help="Sign this copy of a pending file, away from the repository.")
    ] = None,
    merge: Annotated[Path | None, typer.Option(help="Take over the signatures of a copy.")] = None,
    yes: Yes = False,
) -> None:
    """Add signatures to the pending change. It is in force as soon as enough have signed."""
    with _errors():
        if copy is not None:
            _sign_copy(copy, _read(keys or []), yes=yes)
            return
        with _changing(repo) as (folder, change):
            if merge is not None:
                from fleet.repository.folder import read_metadata

                merged, fresh = change.merge(read_metadata(merge))
                typer.echo(f"{merged}: {fresh} new signature(s)")
            if not change.roles:
                typer.echo("nothing waits for signatures")
                return
            for role, metadata in change.roles.items():
                _show(role, metadata)
            if keys and not yes and not typer.confirm("Sign this?"):
                return
            _settle(folder, change, _read(keys or []))


@repo_app.command()
def publish(
    package: Annotated[Path, typer.Argument(help="What canopy-export pack made.")],
    hardware: Annotated[str, typer.Option(help="The devices that it is for, by the name of their role.")],
    repo: Repo = DEFAULT_REPO,
    builder_key: Annotated[
        Path | None, typer.Option(help="Refuse what this key has not signed (PACKAGE.sig beside it).")
    ] = None,
    needs_bytes: Annotated[int | None, typer.Option(min=0, help="Room on the device beside the download.")] = None,
    keys: Keys = None,
) -> None:
    """Offer a package to the devices of a hardware. None takes it up before it is wanted of it."""
    with _errors():
        from fleet.repository.package import check_builder, read_package
        from fleet.repository.publish import publish as put

        if builder_key is not None:
            check_builder(package, builder_key)
        read = read_package(package)
        folder = _folder(repo)
        with folder.locked():
            found = put(folder, read, hardware, _ring(folder, _read(keys or [])), _now(), needs_bytes=needs_bytes)
        typer.echo(f"{found.target} {'is offered' if found.written else 'was offered already'}")


@repo_app.command()
def withdraw(
    target: Annotated[str, typer.Argument(help="HARDWARE/NAME-VERSION.zip")],
    repo: Repo = DEFAULT_REPO,
    keys: Keys = None,
) -> None:
    """Offer a package no longer. Devices that run it go on with it."""
    with _errors():
        from fleet.repository.publish import withdraw as take_away

        folder = _folder(repo)
        with folder.locked():
            take_away(folder, target, _ring(folder, _read(keys or [])), _now())
        typer.echo(f"{target} is offered no longer")


@repo_app.command()
def refresh(
    repo: Repo = DEFAULT_REPO,
    force: Annotated[bool, typer.Option("--force", help="Even if it is not due.")] = False,
    keys: Keys = None,
) -> None:
    """Sign snapshot and timestamp again if half of their time is over; for a timer, once an hour."""
    with _errors():
        from fleet.repository.issue import refresh as reissue

        folder = _folder(repo)
        with folder.locked():
            written = reissue(folder, _ring(folder, _read(keys or [])), _now(), due=2.0 if force else 0.5)
        typer.echo(f"signed {', '.join(written)}" if written else "nothing is due")


@repo_app.command()
def abandon(repo: Repo = DEFAULT_REPO) -> None:
    """Drop the pending change and its signatures. What is in force stays."""
    with _errors():
        from fleet.repository import roles

        folder = _folder(repo)
        with folder.locked():
            roles.abandon(folder)
        typer.echo("nothing waits for signatures any more")


@repo_app.command()
def status(
    repo: Repo = DEFAULT_REPO, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Say how each role stands. Ends with 1 if somebody has to do something: for monitoring."""
    with _errors():
        from fleet.repository.status import read_status

        folder = _folder(repo)
        found = read_status(folder, _now())
        if as_json:
            print_json(asdict(found) | {"needs_somebody": found.needs_somebody})
        else:
            print_table(
                ("role", "version", "expires (UTC)", "signs", "packages", "concern"),
                [
                    (role.role, role.version, f"{role.expires:%F %H:%M}" if role.expires else "-",
                     f"{role.threshold} of {len(role.keys)}", len(role.targets) or "", role.concern)
                    for role in found.roles
                ],
            )  # fmt: skip
            for waiting in found.pending:
                typer.echo(
                    f"pending: {waiting.role} version {waiting.version}, {waiting.missing} signature(s) missing; "
                    f"signed by {', '.join(waiting.signed) or 'nobody'}; may sign: {', '.join(waiting.unsigned)}"
                )
    raise typer.Exit(1 if found.needs_somebody else 0)


def _settle(folder: "RepositoryFolder", change: "Change", given: "list[NamedKey]") -> None:
    """Sign with what is at hand, let the change wait, and put it in force if enough have signed."""
    from fleet.repository.issue import put_in_force

    ring = _ring(folder, given)
    for role, name in change.sign(ring):
        typer.echo(f"{role}: signed by {name}")
    change.keep()
    if change.is_complete:
        typer.echo(f"in force: {', '.join(put_in_force(folder, change, ring, _now()))}")
        return
    for role in change.roles:
        found = change.standing(role)
        if found.missing:
            typer.echo(f"{role} waits for {found.missing} signature(s) of {', '.join(found.unsigned)}")
    typer.echo(f"sign with: canopy-fleet repo sign --repo {folder.path} --key KEY, or copies of {folder.pending}")


def _sign_copy(path: Path, given: "list[NamedKey]", *, yes: bool) -> None:
    from fleet.repository.folder import encode, read_metadata, write_whole

    if not given:
        raise KeyUnusable(f"nothing to sign {path} with; name a key with --key")
    metadata = read_metadata(path)
    _show(path.name, metadata)
    if not yes and not typer.confirm("Sign this?"):
        return
    for each in given:
        if each.signer is None:
            raise KeyUnusable(f"{each.name} is the public half of a key; name the private one")
        metadata.sign(each.signer, append=True)
    write_whole(path, encode(metadata))
    typer.echo(
        f"signed by {', '.join(each.name for each in given)}; bring it back: canopy-fleet repo sign --merge FILE"
    )


def _show(role: str, metadata: "AnyMetadata") -> None:
    """What somebody is about to sign."""
    from fleet.repository.change import roles_of
    from fleet.repository.keys import called

    signed = metadata.signed
    typer.echo(f"{role}: version {signed.version}, until {signed.expires:%F}")
    if signed.type in ("root", "targets"):
        for name in roles_of(signed):  # type: ignore[arg-type]
            listed = signed.get_delegated_role(name)  # type: ignore[union-attr]
            who = ", ".join(called(signed.get_key(keyid)) for keyid in listed.keyids)  # type: ignore[union-attr]
            typer.echo(f"  {name}: {listed.threshold} of {who}")


@contextmanager
def _changing(repo: Path) -> "Iterator[tuple[RepositoryFolder, Change]]":
    from fleet.repository.change import Change

    folder = _folder(repo)
    with folder.locked():
        yield folder, Change(folder, _now())


@contextmanager
def _errors() -> Iterator[None]:
    """As everywhere, and those of the disk and of a key's device, which can come from any of these commands."""
    from tuf.api.exceptions import RepositoryError as MetadataError

    with errors_told():
        try:
            yield
        except OSError as error:
            raise RepositoryError(f"cannot write: {error}; nothing is in force that is not whole") from error
        except MetadataError as error:
            raise RepositoryError(f"{error}; nothing was published") from error


def _folder(repo: Path) -> "RepositoryFolder":
    from fleet.repository.folder import RepositoryFolder

    return RepositoryFolder(repo)


def _ring(folder: "RepositoryFolder", given: "list[NamedKey]") -> "KeyRing":
    from fleet.repository.ring import KeyRing

    return KeyRing.of(folder, given, _passphrase)


def _read(references: list[str]) -> "list[NamedKey]":
    from fleet.repository.keys import read_key

    return [read_key(reference, _passphrase) for reference in references]


def _made(path: Path, *, plain: bool) -> "NamedKey":
    from fleet.repository.keys import make_key

    if plain:
        typer.secho(f"WARNING: {path} has NO PASSPHRASE. Whoever reads it signs in its name.", fg="red", err=True)
    return make_key(path, "" if plain else _passphrase(path.name, new=True))


def _made_keys(folder: Path, *, plain: bool) -> "dict[str, list[NamedKey]]":
    names = {"root": ["root-1", "root-2", "root-3"], "targets": ["targets"], "snapshot": ["snapshot"]}
    names["timestamp"] = ["timestamp"]
    made = {role: [_made(folder / f"{name}.pem", plain=plain) for name in of_role] for role, of_role in names.items()}
    typer.echo(f"the keys are in {folder}: bring root-1, root-2, root-3 and targets to three people, offline")
    return made


def _passphrase(name: str, *, new: bool = False) -> str:
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise KeyUnusable(f"{name} has a passphrase and nobody can be asked for it; set {PASSPHRASE_VARIABLE}")
    return str(typer.prompt(f"Passphrase of {name}", hide_input=True, confirmation_prompt=new))


def _now() -> datetime:
    return datetime.now(timezone.utc)
