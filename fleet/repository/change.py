"""A change of what is signed offline: root, targets, and the roles of the hardware. It waits until enough have signed.

Nothing that a device sees moves meanwhile. A change may be made of several commands; each one that alters a role takes
the signatures off it that were there, since people sign what they have seen.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from securesystemslib.signer import Key
from tuf.api.metadata import Delegations, Metadata, Root, Targets

from fleet.errors import RepositoryError
from fleet.repository.folder import NO_PENDING, OFFLINE, AnyMetadata, Policy, RepositoryFolder
from fleet.repository.keys import called
from fleet.repository.ring import KeyRing

Delegator = Root | Targets


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the signing of a role is.

    Attributes:
        signed: who has signed.
        unsigned: who may yet.
        missing: how many more are needed, at least. Root needs the threshold of the root in force and its own.
    """

    signed: tuple[str, ...]
    unsigned: tuple[str, ...]
    missing: int


class Change:
    """The pending change of a repository, read from its folder."""

    def __init__(self, folder: RepositoryFolder, now: datetime) -> None:
        self._folder = folder
        self._policy = folder.policy()
        self._now = now
        self.roles: dict[str, AnyMetadata] = folder.waiting()
        for role in self.roles:
            self._check_known(role)

    def edit(self, role: str) -> AnyMetadata:
        """The next version of a role, to be altered: without signatures, and with all of its time before it."""
        metadata, current = self.roles.get(role), self._folder.in_force(role)
        if metadata is None or (current is not None and metadata.signed.version <= current.signed.version):
            metadata = self._next(role, current)  # the second: what an interrupted command has published already
            self.roles[role] = metadata
        metadata.signatures.clear()
        metadata.signed.expires = expiry(self._policy, role, self._now)
        return metadata

    def edit_root(self) -> Root:
        """The next root."""
        return cast("Metadata[Root]", self.edit(Root.type)).signed

    def edit_targets(self, role: str = Targets.type) -> Targets:
        """The next targets role, or that of a hardware."""
        return cast("Metadata[Targets]", self.edit(role)).signed

    def root_ahead(self) -> Root:
        """The root as it will be."""
        found = self.roles.get(Root.type) or self._folder.root()
        if found is None:
            raise RepositoryError(f"{self._folder.path} has no root; make one with: canopy-fleet repo init")
        return cast("Metadata[Root]", found).signed

    def targets_ahead(self) -> Targets | None:
        """The targets role as it will be."""
        found = self.roles.get(Targets.type) or self._folder.delegated(Targets.type)
        return None if found is None else cast("Metadata[Targets]", found).signed

    def delegator_ahead(self, role: str) -> Delegator:
        """Who lists the keys of ``role``, as it will be."""
        targets = self.targets_ahead()
        if role in self.root_ahead().roles or targets is None:
            return self.root_ahead()
        return targets

    def keys_ahead(self) -> set[str]:
        """The digests of all keys that will be listed."""
        targets = self.targets_ahead()
        delegations = None if targets is None else targets.delegations
        return {*self.root_ahead().keys, *(() if delegations is None else delegations.keys)}

    def carry_along(self) -> None:
        """Take up each role that would no longer be signed as it must be once this change is in force."""
        self._carry(Targets.type)
        targets = self.targets_ahead()
        for role in delegated_roles(targets) if targets is not None else ():
            self._carry(role)

    def sign(self, ring: KeyRing) -> list[tuple[str, str]]:
        """Sign each role with each key at hand that may; returns which role got which key's signature."""
        fresh = []
        for role, metadata in self.roles.items():
            for signer in ring.signers(self._authorised(role)):
                if signer.public_key.keyid not in metadata.signatures:
                    metadata.sign(signer, append=True)
                    fresh.append((role, called(signer.public_key)))
        return fresh

    def merge(self, other: AnyMetadata) -> tuple[str, int]:
        """Take over the signatures of a copy that was signed elsewhere; returns of which role, and how many were new.

        Raises:
            RepositoryError: it is a copy of something else.
        """
        for role, metadata in self.roles.items():
            if metadata.signed_bytes == other.signed_bytes:
                fresh = {keyid: sig for keyid, sig in other.signatures.items() if keyid not in metadata.signatures}
                metadata.signatures.update(fresh)
                return role, len(fresh)
        raise RepositoryError(
            f"the copy is of nothing that waits here; copy from {self._folder.pending}, and sign again"
        )

    def standing(self, role: str) -> Standing:
        """How far the signing of a pending role is."""
        metadata = self.roles[role]
        return standing(self.delegator_ahead(role), role, metadata, self._before(role))

    @property
    def is_complete(self) -> bool:
        """Whether enough have signed all of it."""
        return bool(self.roles) and all(self.standing(role).missing == 0 for role in self.roles)

    def keep(self) -> None:
        """Let it wait."""
        self._folder.wait(self.roles)

    def _check_known(self, role: str) -> None:
        targets = self.targets_ahead()
        if role not in OFFLINE and (targets is None or role not in delegated_roles(targets)):
            path = self._folder.pending / f"{self.roles[role].signed.version}.{role}.json"
            raise RepositoryError(f"{path} {NO_PENDING}")

    @staticmethod
    def _next(role: str, current: AnyMetadata | None) -> AnyMetadata:
        if current is not None:
            following = deepcopy(current)
            following.signed.version += 1
            return following
        if role == Root.type:
            return Metadata(Root(consistent_snapshot=True))
        if role == Targets.type:
            return Metadata(Targets(delegations=Delegations({}, {})))
        return Metadata(Targets())

    def _carry(self, role: str) -> None:
        if role in self.roles:
            return
        current = self._folder.delegated(role)
        if current is None or standing(self.delegator_ahead(role), role, current).missing:
            self.edit(role)

    def _authorised(self, role: str) -> Iterator[str]:
        """Whose signature helps: those who will be listed, and those who are, so that nobody sees a gap."""
        yield from self.delegator_ahead(role).get_delegated_role(role).keyids
        before = self._folder.in_force(Root.type if role in self.root_ahead().roles else Targets.type)
        if before is not None:
            delegator = cast("Delegator", before.signed)
            if role in roles_of(delegator):
                yield from delegator.get_delegated_role(role).keyids

    def _before(self, role: str) -> Root | None:
        root = self._folder.root()
        return root.signed if role == Root.type and root is not None else None


def standing(delegator: Delegator, role: str, metadata: AnyMetadata, before: Root | None = None) -> Standing:
    """How far the signing of ``metadata`` is, by the keys that ``delegator`` lists, and by those of the root before."""
    payload, signatures = metadata.signed_bytes, metadata.signatures
    results = [delegator.get_verification_result(role, payload, signatures)]
    if before is not None:
        results.append(before.get_verification_result(role, payload, signatures))
    signed: dict[str, Key] = {}
    unsigned: dict[str, Key] = {}
    for result in results:
        signed |= result.signed
        unsigned |= result.unsigned
    return Standing(
        tuple(map(called, signed.values())),
        tuple(map(called, unsigned.values())),
        max(result.missing for result in results),
    )


def expiry(policy: Policy, role: str, now: datetime) -> datetime:
    """When a signature made now ends."""
    return (now + timedelta(days=policy.days(role))).replace(microsecond=0)


def delegated_roles(targets: Targets) -> Sequence[str]:
    """The hardware roles of the targets role."""
    return sorted(targets.delegations.roles) if targets.delegations and targets.delegations.roles else ()


def roles_of(delegator: Delegator) -> Sequence[str]:
    """The roles whose keys ``delegator`` lists."""
    return sorted(delegator.roles) if isinstance(delegator, Root) else delegated_roles(delegator)
