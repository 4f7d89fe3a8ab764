"""How a repository stands: for people, and for the monitoring that wakes them before devices refuse everything."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tuf.api.metadata import Root, Targets

from fleet.repository.change import Change, delegated_roles, standing
from fleet.repository.folder import TOP_LEVEL, RepositoryFolder
from fleet.repository.keys import called

WARN_AT: Final = 0.2
"""The share of its time that is left to a role when somebody should sign it again."""


@dataclass(frozen=True, slots=True)
class RoleStatus:
    """One role as devices see it.

    Attributes:
        role: its name.
        version: the version in force, 0 for none.
        expires: when devices refuse it.
        threshold: how many keys sign.
        keys: what those who may are called.
        targets: the packages that it offers.
        concern: what is wrong with it, or soon will be; empty if nothing.
    """

    role: str
    version: int
    expires: datetime | None
    threshold: int
    keys: tuple[str, ...]
    targets: tuple[str, ...]
    concern: str


@dataclass(frozen=True, slots=True)
class PendingStatus:
    """One role of the change that waits: who has signed, who may yet, and how many are missing."""

    role: str
    version: int
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]
    missing: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole."""

    roles: tuple[RoleStatus, ...]
    pending: tuple[PendingStatus, ...]

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to do something."""
        return bool(self.pending) or any(role.concern for role in self.roles)


def read_status(folder: RepositoryFolder, now: datetime) -> Status:
    """How ``folder`` stands at ``now``."""
    change = Change(folder, now)
    root, targets = folder.root(), folder.delegated(Targets.type)
    roles: list[RoleStatus] = []
    if root is not None:
        roles += [_role(folder, name, root.signed, now) for name in TOP_LEVEL]
    if targets is not None:
        roles += [_role(folder, name, targets.signed, now) for name in delegated_roles(targets.signed)]
    pending = []
    for role, metadata in change.roles.items():
        found = change.standing(role)
        pending.append(PendingStatus(role, metadata.signed.version, found.signed, found.unsigned, found.missing))
    return Status(tuple(roles), tuple(pending))


def _role(folder: RepositoryFolder, name: str, delegator: Root | Targets, now: datetime) -> RoleStatus:
    role = delegator.get_delegated_role(name)
    keys = tuple(called(delegator.get_key(keyid)) for keyid in role.keyids)
    metadata = folder.in_force(name)
    if metadata is None:
        return RoleStatus(name, 0, None, role.threshold, keys, (), "not in force")
    expires = metadata.signed.expires
    offered = tuple(sorted(metadata.signed.targets)) if isinstance(metadata.signed, Targets) else ()
    concern = _concern(expires - now, timedelta(days=folder.policy().days(name)))
    if standing(delegator, name, metadata).missing:
        concern = "not signed as it must be"
    return RoleStatus(name, metadata.signed.version, expires, role.threshold, keys, offered, concern)


def _concern(left: timedelta, lifetime: timedelta) -> str:
    if left <= timedelta():
        return "expired: devices refuse it"
    if left < lifetime * WARN_AT:
        return "expires soon: sign it again"
    return ""
