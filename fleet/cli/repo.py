"""``canopy-fleet repo``: the update repository and its keys. ``docs/updates.md`` tells who does what when."""
# ruff: noqa: PLC0415 - cryptography and python-tuf are imported by the commands that use them

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleet.cli.terminal import errors_told, print_json, print_table
from fleet.errors import RepositoryError

if TYPE_CHECKING:
    from fleet.repository.change import Change
    from fleet.repository.folder import RepositoryFolder

repo_app = typer.Typer(
    help="Publish models to devices: packages under signature, keys, and what waits for signatures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

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
        from fleet.repository.ceremony import made_key

        made = made_key(path, plain=plain)
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
        from fleet.repository import ceremony
        from fleet.repository.folder import Policy, RepositoryFolder
        from fleet.repository.roles import begin, check_unused

        folder = RepositoryFolder(repo)
        check_unused(folder)
        if make_keys is not None:
            keys = ceremony.made_keys(make_keys, plain=plain)
        else:
            online = {"snapshot": [snapshot] if snapshot else [], "timestamp": [timestamp] if timestamp else []}
            named = {"root": root or [], "targets": targets or []} | online
            keys = {role: ceremony.named_keys(of_role) for role, of_role in named.items()}
        policy = Policy(
            root=root_days, targets=targets_days, hardware=hardware_days, snapshot=snapshot_days,
            timestamp=timestamp_days,
        )  # fmt: skip
        thresholds = {"root": root_threshold, "targets": targets_threshold}
        change = begin(folder, keys, thresholds, policy, ceremony.now())
        with folder.locked():
            ceremony.settle(folder, change, [each for of_role in keys.values() for each in of_role])


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
        from fleet.repository import ceremony, roles

        added = ceremony.named_keys([new])[0]
        roles.add_key(folder, change, role, added, threshold)
        ceremony.settle(folder, change, [added, *ceremony.named_keys(keys)])


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
        from fleet.repository import ceremony, roles

        coming = None if new is None else ceremony.named_keys([new])[0]
        plan = roles.rotate(change, role, old, coming, revoke=revoke)
        typer.echo(f"{plan.role}: {plan.leaves} goes, {plan.comes or 'none'} comes")
        for signed, who in sorted(plan.signs.items()):
            typer.echo(f"  {signed} version {change.roles[signed].signed.version} needs signatures: {who}")
        typer.echo(f"  seen by {plan.devices}")
        if dry_run:
            typer.echo("nothing was changed")
            return
        roles.note_keys(folder, change, role, coming, revoke=revoke)
        ceremony.settle(folder, change, [*([coming] if coming else []), *ceremony.named_keys(keys)])


@repo_app.command()
def renew(
    role: Annotated[str, typer.Argument(help="root, targets, or a hardware.")],
    repo: Repo = DEFAULT_REPO,
    keys: Keys = None,
) -> None:
    """Sign a role again before it expires, as it is."""
    with _errors(), _changing(repo) as (folder, change):
        from fleet.repository import ceremony, roles

        roles.renew(change, role)
        ceremony.settle(folder, change, ceremony.named_keys(keys))


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
        from fleet.repository import ceremony

        if copy is not None:
            ceremony.sign_copy(copy, ceremony.named_keys(keys), yes=yes)
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
                ceremony.show(role, metadata)
            if keys and not ceremony.confirmed(yes=yes):
                return
            ceremony.settle(folder, change, ceremony.named_keys(keys))


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
        from fleet.repository import ceremony
        from fleet.repository.package import check_builder, read_package
        from fleet.repository.publish import publish as put

        read = read_package(package)
        if builder_key is not None:
            check_builder(package, builder_key)
        with _locked(repo) as folder:
            ring = ceremony.ring_of(folder, ceremony.named_keys(keys))
            found = put(folder, read, hardware, ring, ceremony.now(), needs_bytes=needs_bytes)
        typer.echo(f"{found.target} {'is offered' if found.written else 'was offered already'}")


@repo_app.command()
def withdraw(
    target: Annotated[str, typer.Argument(help="HARDWARE/NAME-VERSION.zip")],
    repo: Repo = DEFAULT_REPO,
    keys: Keys = None,
) -> None:
    """Offer a package no longer. Devices that run it go on with it."""
    with _errors():
        from fleet.repository import ceremony
        from fleet.repository.publish import withdraw as take_away

        with _locked(repo) as folder:
            take_away(folder, target, ceremony.ring_of(folder, ceremony.named_keys(keys)), ceremony.now())
        typer.echo(f"{target} is offered no longer")


@repo_app.command()
def refresh(
    repo: Repo = DEFAULT_REPO,
    force: Annotated[bool, typer.Option("--force", help="Even if it is not due.")] = False,
    keys: Keys = None,
) -> None:
    """Sign snapshot and timestamp again if half of their time is over; for a timer, once an hour."""
    with _errors():
        from fleet.repository import ceremony
        from fleet.repository.issue import refresh as reissue

        with _locked(repo) as folder:
            ring = ceremony.ring_of(folder, ceremony.named_keys(keys))
            written = reissue(folder, ring, ceremony.now(), due=2.0 if force else 0.5)
        typer.echo(f"signed {', '.join(written)}" if written else "nothing is due")


@repo_app.command()
def abandon(repo: Repo = DEFAULT_REPO) -> None:
    """Drop the pending change and its signatures. What is in force stays."""
    with _errors():
        from fleet.repository import roles

        with _locked(repo) as folder:
            roles.abandon(folder)
        typer.echo("nothing waits for signatures any more")


@repo_app.command()
def status(
    repo: Repo = DEFAULT_REPO, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Say how each role stands. Ends with 1 if somebody has to do something: for monitoring."""
    with _errors():
        from fleet.repository.ceremony import now
        from fleet.repository.folder import RepositoryFolder
        from fleet.repository.status import read_status

        found = read_status(RepositoryFolder(repo), now())
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


@contextmanager
def _changing(repo: Path) -> "Iterator[tuple[RepositoryFolder, Change]]":
    from fleet.repository.ceremony import now
    from fleet.repository.change import Change

    with _locked(repo) as folder:
        yield folder, Change(folder, now())


@contextmanager
def _locked(repo: Path) -> "Iterator[RepositoryFolder]":
    from fleet.repository.folder import RepositoryFolder

    folder = RepositoryFolder(repo)
    with folder.locked():
        yield folder


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
