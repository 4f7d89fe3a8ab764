"""Packages into the repository, and out of it: content first, then the hardware's role, then what points to it."""

import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tuf.api.metadata import Metadata, TargetFile, Targets

from edge.contract.control import Release
from edge.contract.repository import target_path
from fleet.errors import PackageRefused, RepositoryError, SignaturesMissing
from fleet.repository.change import Change, delegated_roles, expiry, standing
from fleet.repository.folder import RepositoryFolder, flush
from fleet.repository.issue import Edition, issue
from fleet.repository.package import Package, digest_of
from fleet.repository.ring import KeyRing

ROOM_PER_BYTE: Final = 2
"""Beside the download a device has a package unpacked, and once more as compiled engines of about its size."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a package became.

    Attributes:
        target: its path in the repository; what a rollout names.
        written: the files of metadata, in order; none if it was there already.
    """

    target: str
    written: tuple[str, ...]


def publish(
    folder: RepositoryFolder,
    package: Package,
    hardware: str,
    ring: KeyRing,
    now: datetime,
    *,
    needs_bytes: int | None = None,
) -> Published:
    """Offer a verified package to the devices of one hardware.

    Args:
        folder: the repository.
        package: what ``read_package`` gave.
        hardware: whose role signs it.
        ring: holds the hardware's key and the online keys.
        now: the time in UTC.
        needs_bytes: the room that it takes on the device beside the download; guessed from its size if not given.

    Raises:
        RepositoryError: the hardware has no role, or there is another package of that name and version.
        SignaturesMissing: a key is not at hand.
    """
    room = package.unpacked_bytes * ROOM_PER_BYTE if needs_bytes is None else needs_bytes
    release = Release(model=package.model, hardware=hardware, needs_bytes=room)
    path = target_path(hardware, package.model.name, package.model.version)
    target = TargetFile.from_file(path, str(package.path), ["sha256"])
    if target.hashes["sha256"] != package.sha256:
        raise PackageRefused(f"{package.path} changed after it was verified; publish it again")
    target.unrecognized_fields["custom"] = release.model_dump(mode="json")
    there = role_in_force(folder, hardware).signed.targets.get(path)
    if there is not None and there.hashes != target.hashes:
        raise PackageRefused(
            f"{path} is published already, with another content: a version never changes; raise the version"
        )
    if there == target:
        return Published(path, ())

    def offer(role: Targets) -> None:
        role.targets[path] = target

    edition = next_edition(folder, hardware, offer, ring, now)
    _put(package.path, folder.targets / target.get_prefixed_paths()[0], target.hashes["sha256"])
    return Published(path, tuple(issue(folder, edition, ring, now)))


def withdraw(folder: RepositoryFolder, path: str, ring: KeyRing, now: datetime) -> list[str]:
    """Offer a package no longer. Devices that run it go on; none takes it up.

    Raises:
        RepositoryError: there is none.
    """
    hardware = path.partition("/")[0]
    if path not in role_in_force(folder, hardware).signed.targets:
        raise RepositoryError(f"{path} is not published; see canopy-fleet repo status --json")

    def take_away(role: Targets) -> None:
        del role.targets[path]

    return issue(folder, next_edition(folder, hardware, take_away, ring, now), ring, now)


def offered(folder: RepositoryFolder) -> dict[str, Release]:
    """Every package that devices are offered now: its path, and what is signed of it. What rollouts choose from."""
    targets = folder.delegated(Targets.type)
    found: dict[str, Release] = {}
    for hardware in () if targets is None else delegated_roles(targets.signed):
        role = folder.delegated(hardware)
        for path, target in {} if role is None else role.signed.targets.items():
            found[path] = Release.model_validate(target.custom)
    return found


def next_edition(
    folder: RepositoryFolder, hardware: str, alter: Callable[[Targets], None], ring: KeyRing, now: datetime
) -> Edition:
    """The next version of a hardware's role, signed, after ``alter`` had it in hand.

    Raises:
        RepositoryError: a pending change holds that role.
        SignaturesMissing: its key is not at hand.
    """
    change = Change(folder, now)
    if hardware in change.roles:
        raise RepositoryError(f"a change of {hardware} waits for signatures; sign it or abandon it first")
    metadata: Metadata[Targets] = deepcopy(role_in_force(folder, hardware))
    metadata.signed.version += 1
    metadata.signed.expires = expiry(folder.policy(), hardware, now)
    metadata.signatures.clear()
    alter(metadata.signed)
    targets = folder.delegated(Targets.type)
    if targets is None:
        raise RepositoryError(f"{folder.path} has no targets in force; see canopy-fleet repo status")
    for signer in ring.signers(targets.signed.get_delegated_role(hardware).keyids):
        metadata.sign(signer, append=True)
    found = standing(targets.signed, hardware, metadata)
    if found.missing:
        raise SignaturesMissing(
            f"{hardware} lacks {found.missing} signature(s) of {', '.join(found.unsigned)}: name the key with --key"
        )
    return Edition(delegated={hardware: metadata})


def role_in_force(folder: RepositoryFolder, hardware: str) -> Metadata[Targets]:
    """The role of a hardware.

    Raises:
        RepositoryError: it has none.
    """
    role = folder.delegated(hardware)
    if role is None or hardware == Targets.type:
        raise RepositoryError(
            f"{hardware} has no role in force; give it one with: canopy-fleet repo add-key {hardware} KEY"
        )
    return role


def _put(source: Path, place: Path, sha256: str) -> None:
    """Copy content to its place, whole or not at all, and see that the copy is what was signed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.fresh")
    with source.open("rb") as original, fresh.open("wb") as copy:
        shutil.copyfileobj(original, copy)
        copy.flush()
        os.fsync(copy.fileno())
    if digest_of(fresh) != sha256:
        fresh.unlink()
        raise PackageRefused(f"{source} changed while it was published; publish it again")
    fresh.replace(place)
    flush(place.parent)
