"""Roles and their keys: made at the beginning, added, replaced, taken away. All of it becomes the pending change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError
from tuf.api.metadata import DelegatedRole, Key, Root, Targets

from edge.contract.message import Name
from fleet.errors import KeyUnusable, RepositoryError
from fleet.repository.change import Change, delegated_roles
from fleet.repository.folder import ONLINE, TOP_LEVEL, KeptKey, Policy, RepositoryFolder
from fleet.repository.keys import NamedKey, called

_NAME = TypeAdapter[str](Name)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation would do, for people to read before it is done.

    Attributes:
        role: whose key it is.
        leaves: the key that goes.
        comes: the key that comes, if one does.
        signs: for each role that gets a new version, who has to sign it: how many more, and whose signatures count.
        devices: which devices see a change.
    """

    role: str
    leaves: str
    comes: str | None
    signs: Mapping[str, str]
    devices: str


def begin(
    folder: RepositoryFolder,
    keys: Mapping[str, Sequence[NamedKey]],
    thresholds: Mapping[str, int],
    policy: Policy,
    now: datetime,
) -> Change:
    """A new repository, whose first root and targets wait for their signatures.

    Args:
        folder: where; must not be a repository yet.
        keys: the keys of root, targets, snapshot and timestamp.
        thresholds: how many of them sign root and targets; 1 for a role that is not named.
        policy: how long signatures hold.
        now: the time in UTC.

    Raises:
        RepositoryError: there is one, or a role has too few keys.
    """
    check_unused(folder)
    for role in TOP_LEVEL:
        threshold = thresholds.get(role, 1)
        if len({key.public.keyid for key in keys[role]}) < threshold:
            raise RepositoryError(f"{role} has {len(keys[role])} key(s) and needs {threshold}; name more")
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.keep_policy(policy)
    change = Change(folder, now)
    root = change.edit_root()
    for role in TOP_LEVEL:
        for key in keys[role]:
            root.add_key(key.public, role)
        root.roles[role].threshold = thresholds.get(role, 1)
    change.edit_targets()
    folder.keep_keys(_kept(key for role in ONLINE for key in keys[role]))
    return change


def check_unused(folder: RepositoryFolder) -> None:
    """See that a repository may begin here.

    Raises:
        RepositoryError: there is one.
    """
    if folder.metadata.exists() or any(folder.pending.glob("*.json")):
        raise RepositoryError(f"{folder.path} is a repository already; name another folder, or remove it yourself")


def add_key(folder: RepositoryFolder, change: Change, role: str, key: NamedKey, threshold: int | None) -> None:
    """Let ``key`` sign for ``role``; a role that does not exist becomes that of a hardware.

    Args:
        folder: the repository.
        change: where it is noted.
        role: one of the four, or a hardware.
        key: the key.
        threshold: how many keys have to sign from now on; as before if not given.

    Raises:
        RepositoryError: ``role`` is no name, or the threshold is above the number of keys.
    """
    if role in TOP_LEVEL:
        root = change.edit_root()
        root.add_key(key.public, role)
        _set_threshold(root, role, threshold)
    else:
        targets = change.edit_targets()
        if role not in delegated_roles(targets):
            _delegate(targets, role)
        targets.add_key(key.public, role)
        _set_threshold(targets, role, threshold)
    if role in ONLINE or role not in TOP_LEVEL:
        folder.keep_keys(folder.kept_keys() | _kept([key]))
    change.carry_along()


def renew(change: Change, role: str) -> None:
    """Give a role a version that is as it was, with all of its time before it.

    Raises:
        RepositoryError: there is no such role, or it is signed online.
    """
    targets = change.targets_ahead()
    if role in ONLINE:
        raise RepositoryError(f"{role} is signed online: canopy-fleet repo refresh --force")
    if role not in TOP_LEVEL and (targets is None or role not in delegated_roles(targets)):
        raise RepositoryError(f"there is no role {role}; see canopy-fleet repo status")
    change.edit(role)
    change.carry_along()


def rotate(change: Change, role: str, old: str | None, new: NamedKey | None, *, revoke: bool) -> Rotation:
    """Replace a key of ``role``, or take it away.

    Args:
        change: where it is noted.
        role: whose key.
        old: the beginning of the old key's digest, or its name; may be left out where the role has one key.
        new: the key in its place; may be left out with ``revoke``.
        revoke: the old key is stolen or lost: it signs nothing any more, the transition neither.

    Returns:
        What was noted; nothing is done until ``change`` is kept.

    Raises:
        RepositoryError: no such role or key, or too few keys would be left.
    """
    delegator = change.delegator_ahead(role)
    leaving = _find(delegator, role, old)
    if new is not None and new.public.keyid == leaving.keyid:
        raise KeyUnusable(f"{called(leaving)} is the key that shall go; name another with --new")
    if new is None and not revoke:
        raise RepositoryError(f"{called(leaving)} would go and none come; name one with --new, or say --revoke")
    editing = change.edit_root() if isinstance(delegator, Root) else change.edit_targets()
    editing.revoke_key(leaving.keyid, role)
    if new is not None:
        editing.add_key(new.public, role)
    _set_threshold(editing, role, None)
    change.carry_along()
    signs = {name: _who(change, name) for name in change.roles}
    return Rotation(role, called(leaving), None if new is None else called(new.public), signs, _devices(role))


def note_keys(
    folder: RepositoryFolder, change: Change, rotation_of: str, new: NamedKey | None, *, revoke: bool
) -> None:
    """Keep in ``keys.json`` what a rotation means for it: where the new key is, and that the old one is revoked."""
    kept = folder.kept_keys()
    if revoke:
        for keyid in set(kept) - change.keys_ahead():
            kept[keyid].revoked = True
    if new is not None and (rotation_of in ONLINE or rotation_of not in TOP_LEVEL):
        kept |= _kept([new])
    folder.keep_keys(kept)


def abandon(folder: RepositoryFolder) -> None:
    """Drop the pending change, with all of its signatures."""
    folder.wait({})
    folder.keep_keys({keyid: KeptKey(reference=kept.reference) for keyid, kept in folder.kept_keys().items()})


def _kept(keys: Iterable[NamedKey]) -> dict[str, KeptKey]:
    return {key.public.keyid: KeptKey(reference=key.reference) for key in keys if key.reference is not None}


def _delegate(targets: Targets, hardware: str) -> None:
    try:
        _NAME.validate_python(hardware)
    except ValidationError as error:
        raise RepositoryError(f"{hardware!r:.80} is no name of a hardware: letters, digits, . _ -") from error
    if targets.delegations is None or targets.delegations.roles is None:
        raise RepositoryError("the targets role of this repository delegates in a way that is not ours")
    paths = [f"{hardware}/*"]
    targets.delegations.roles[hardware] = DelegatedRole(hardware, [], 1, terminating=True, paths=paths)


def _set_threshold(delegator: Root | Targets, name: str, threshold: int | None) -> None:
    role = delegator.get_delegated_role(name)
    if threshold is not None:
        role.threshold = threshold
    if role.threshold > len(role.keyids):
        raise RepositoryError(
            f"{name} would have {len(role.keyids)} key(s) and needs {role.threshold} signatures; add a key first"
        )


def _find(delegator: Root | Targets, role: str, wanted: str | None) -> Key:
    try:
        keys = [delegator.get_key(keyid) for keyid in delegator.get_delegated_role(role).keyids]
    except ValueError as error:
        raise RepositoryError(f"there is no role {role}; see canopy-fleet repo status") from error
    found = [key for key in keys if wanted is None or _answers_to(key, wanted)]
    if len(found) != 1:
        names = ", ".join(map(called, keys))
        raise RepositoryError(f"which key of {role}? It has {names}: name one with --old")
    return found[0]


def _answers_to(key: Key, wanted: str) -> bool:
    return called(key).startswith(f"{wanted} ") or key.keyid.startswith(wanted)


def _who(change: Change, role: str) -> str:
    found = change.standing(role)
    return f"{found.missing} of {', '.join(found.unsigned)}" if found.missing else "enough have signed"


def _devices(role: str) -> str:
    if role in TOP_LEVEL:
        return "every device, when it next looks for updates; none has to be touched"
    return f"the devices of {role}, when they next look for updates; none has to be touched"
