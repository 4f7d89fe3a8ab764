"""The keys that are at hand: those that the command was given, and those whose place ``keys.json`` tells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from securesystemslib.signer import Signer

from fleet.errors import KeyUnusable
from fleet.repository.folder import KeptKey, RepositoryFolder
from fleet.repository.keys import NamedKey, Passphrase, read_key


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Finds who can sign.

    Attributes:
        kept: the keys of ``keys.json``, by their digest.
        given: the keys of the command line.
        passphrase: asked for the passphrase of a kept key that has one.
    """

    kept: dict[str, KeptKey]
    given: Sequence[NamedKey] = ()
    passphrase: Passphrase = lambda _: ""
    _opened: dict[str, Signer] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: RepositoryFolder, given: Sequence[NamedKey], passphrase: Passphrase) -> "KeyRing":
        """The ring of a repository."""
        return cls(folder.kept_keys(), given, passphrase)

    def signers(self, keyids: Iterable[str], *, with_revoked: bool = True) -> list[Signer]:
        """Those of ``keyids`` that can sign now. A kept key that is not there, a token on a shelf, is passed over."""
        given = {key.public.keyid: key.signer for key in self.given if key.signer is not None}
        found = []
        for keyid in dict.fromkeys(keyids):
            kept = self.kept.get(keyid)
            if kept is not None and kept.revoked and not with_revoked:
                continue
            signer = given.get(keyid) or self._opened.get(keyid) or (None if kept is None else self._open(keyid, kept))
            if signer is not None:
                self._opened[keyid] = signer
                found.append(signer)
        return found

    def _open(self, keyid: str, kept: KeptKey) -> Signer | None:
        try:
            key = read_key(kept.reference, self.passphrase)
        except KeyUnusable:
            return None
        return key.signer if key.public.keyid == keyid else None
