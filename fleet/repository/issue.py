"""What goes public, and in which order: whoever reads meanwhile finds the repository before or after, never between.

All files but one have their version in their name and are seen only once something points to them. Root is found by its
number, and ``timestamp.json`` by its name; of these two, that goes first after which the repository still holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from edge.contract.repository import ISSUED
from fleet.errors import SignaturesMissing
from fleet.repository.change import Change, expiry, standing
from fleet.repository.folder import AnyMetadata, Policy, RepositoryFolder, encode, write_whole
from fleet.repository.rehearsal import rehearse
from fleet.repository.ring import KeyRing


@dataclass(frozen=True, slots=True)
class Edition:
    """New metadata that goes public together.

    Attributes:
        root: the new root, if there is one.
        delegated: the new targets role, and roles of hardware.
    """

    root: Metadata[Root] | None = None
    delegated: Mapping[str, Metadata[Targets]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a device checks against a root."""

    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets] | None

    def holds(self, root: Root) -> bool:
        checked: dict[str, AnyMetadata | None] = {
            Timestamp.type: self.timestamp,
            Snapshot.type: self.snapshot,
            Targets.type: self.targets,
        }
        return all(
            metadata is not None and standing(root, role, metadata).missing == 0 for role, metadata in checked.items()
        )


def put_in_force(folder: RepositoryFolder, change: Change, ring: KeyRing, now: datetime) -> list[str]:
    """Make the pending change public, and forget the keys that it revoked. Can be repeated after an interruption.

    Returns:
        What was written, in order.

    Raises:
        SignaturesMissing: too few have signed, or no online key is at hand.
        RepositoryError: a device would refuse it.
    """
    waiting = [role for role in change.roles if change.standing(role).missing]
    if waiting:
        raise SignaturesMissing(f"signatures are missing for {', '.join(waiting)}; see canopy-fleet repo status")
    root = cast("Metadata[Root] | None", change.roles.get(Root.type))
    current = folder.root()
    if root is not None and current is not None and root.signed.version == current.signed.version:
        root = None  # an interrupted run got this far
    delegated = {role: cast("Metadata[Targets]", md) for role, md in change.roles.items() if role != Root.type}
    written = issue(folder, Edition(root, delegated), ring, now)
    listed = change.keys_ahead()
    folder.wait({})
    folder.keep_keys({keyid: kept for keyid, kept in folder.kept_keys().items() if keyid in listed})
    return written


def issue(folder: RepositoryFolder, edition: Edition, ring: KeyRing, now: datetime) -> list[str]:
    """Make a snapshot and a timestamp around ``edition``, rehearse, and publish it all. Returns the names in order."""
    before = folder.root()
    root = (edition.root or cast("Metadata[Root]", before)).signed
    old = _in_force(folder)
    files = {f"{md.signed.version}.{role}.json": encode(md) for role, md in edition.delegated.items()}
    snapshot = _next_snapshot(folder, edition, root, ring, now)
    files[f"{snapshot.signed.version}.snapshot.json"] = encode(snapshot)
    timestamp = _next_timestamp(folder, snapshot, root, ring, now)
    last = {"timestamp.json": encode(timestamp)}
    if edition.root is not None:
        rooted = {f"{root.version}.root.json": encode(edition.root)}
        new = _Seen(timestamp, snapshot, edition.delegated.get(Targets.type) or folder.delegated(Targets.type))
        root_last = before is not None and new.holds(before.signed) and not (old is not None and old.holds(root))
        last = last | rooted if root_last else rooted | last
    files |= last
    rehearse(folder.metadata, files, [role for role in edition.delegated if role != Targets.type])
    for name, content in files.items():
        write_whole(folder.metadata / name, content)
    return list(files)


def refresh(folder: RepositoryFolder, ring: KeyRing, now: datetime, *, due: float = 0.5) -> list[str]:
    """Sign snapshot and timestamp again when less than ``due`` of their time is left; the online service's timer.

    Returns:
        What was written; nothing if nothing was due.

    Raises:
        SignaturesMissing: an online key is not at hand.
        RepositoryError: the repository is damaged or has no root in force.
    """
    policy = folder.policy()
    snapshot, timestamp, root = folder.snapshot(), folder.timestamp(), folder.root()
    if snapshot is None or timestamp is None or root is None:
        raise SignaturesMissing("nothing is in force yet: the first root waits for signatures; see repo status")
    files: dict[str, bytes] = {}
    if _is_due(policy, Snapshot.type, snapshot, now, due):
        snapshot = _next_snapshot(folder, Edition(), root.signed, ring, now)
        files[f"{snapshot.signed.version}.snapshot.json"] = encode(snapshot)
    if files or _is_due(policy, Timestamp.type, timestamp, now, due):
        files["timestamp.json"] = encode(_next_timestamp(folder, snapshot, root.signed, ring, now))
    for name, content in files.items():
        write_whole(folder.metadata / name, content)
    return list(files)


def _is_due(policy: Policy, role: str, metadata: AnyMetadata, now: datetime, due: float) -> bool:
    return metadata.signed.expires - now < timedelta(days=policy.days(role)) * due


def _in_force(folder: RepositoryFolder) -> _Seen | None:
    timestamp, snapshot = folder.timestamp(), folder.snapshot()
    if timestamp is None or snapshot is None:
        return None
    return _Seen(timestamp, snapshot, folder.delegated(Targets.type))


def _next_snapshot(
    folder: RepositoryFolder, edition: Edition, root: Root, ring: KeyRing, now: datetime
) -> Metadata[Snapshot]:
    current = folder.snapshot()
    following = Snapshot(expires=expiry(folder.policy(), Snapshot.type, now), meta={})
    if current is not None:
        following.version = current.signed.version + 1
        following.meta = dict(current.signed.meta)
    following.meta |= {f"{role}.json": _meta(delegated) for role, delegated in edition.delegated.items()}
    metadata: Metadata[Snapshot] = Metadata(following)
    _sign_online(folder, metadata, root, ring)
    return metadata


def _next_timestamp(
    folder: RepositoryFolder, snapshot: Metadata[Snapshot], root: Root, ring: KeyRing, now: datetime
) -> Metadata[Timestamp]:
    current = folder.timestamp()
    following = Timestamp(
        version=1 if current is None else current.signed.version + 1,
        expires=expiry(folder.policy(), Timestamp.type, now),
        snapshot_meta=_meta(snapshot),
        unrecognized_fields={ISSUED: now.replace(microsecond=0).isoformat()},
    )
    metadata = Metadata(following)
    _sign_online(folder, metadata, root, ring)
    return metadata


def _sign_online(folder: RepositoryFolder, metadata: AnyMetadata, root: Root, ring: KeyRing) -> None:
    """Sign by the keys that will be listed, and by those that are unless they were revoked: nobody sees a gap."""
    role = metadata.signed.type
    before = folder.root()
    for signer in ring.signers(root.roles[role].keyids):
        metadata.sign(signer, append=True)
    if before is not None:
        for signer in ring.signers(before.signed.roles[role].keyids, with_revoked=False):
            metadata.sign(signer, append=True)
    found = standing(root, role, metadata)
    if found.missing:
        raise SignaturesMissing(
            f"{role} lacks {found.missing} signature(s) of {', '.join(found.unsigned)}: bring the online key, with "
            "--key or by keys.json, and its passphrase in CANOPY_KEY_PASSPHRASE"
        )


def _meta(metadata: AnyMetadata) -> MetaFile:
    return MetaFile.from_data(metadata.signed.version, encode(metadata), ["sha256"])
