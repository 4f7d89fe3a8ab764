"""A repository as ``canopy-fleet repo`` makes it, with all of its keys in one folder, and a device that looks at it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from edge.update.client import UpdateClient
from edge.update.fetch import Source
from fleet.repository.change import Change
from fleet.repository.folder import Policy, RepositoryFolder
from fleet.repository.issue import put_in_force
from fleet.repository.keys import NamedKey, make_key, read_key
from fleet.repository.package import read_package
from fleet.repository.publish import Published, publish
from fleet.repository.ring import KeyRing
from fleet.repository.roles import add_key, begin, renew
from tests.sim.packed import packed

HARDWARE = "onnx-cpu"
PEOPLE = ("alice", "bob", "carol")


def no_passphrase(name: str) -> str:
    raise AssertionError(f"{name} should need no passphrase")


def now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class FleetRepository:
    """Root belongs to alice, bob and carol, two of whom sign; targets to dora; the rest is online."""

    path: Path
    keys: dict[str, NamedKey] = field(default_factory=dict)

    @property
    def folder(self) -> RepositoryFolder:
        return RepositoryFolder(self.path / "updates")

    @property
    def bootstrap(self) -> bytes:
        return (self.folder.metadata / "1.root.json").read_bytes()

    def key(self, name: str) -> NamedKey:
        """The key called ``name``, made when it is first asked for."""
        if name not in self.keys:
            self.keys[name] = make_key(self.path / "keys" / f"{name}.pem", "")
        return self.keys[name]

    def public(self, name: str) -> NamedKey:
        """The public half of it."""
        self.key(name)
        return read_key(str(self.path / "keys" / f"{name}.pem.pub"), no_passphrase)

    def begin(self, policy: Policy | None = None) -> Change:
        """The first root and targets, waiting for signatures."""
        roles = {"root": PEOPLE, "targets": ["dora"], "snapshot": ["snapshot"], "timestamp": ["timestamp"]}
        keys = {
            role: [self.public(name) if role in ("root", "targets") else self.key(name) for name in names]
            for role, names in roles.items()
        }
        change = begin(self.folder, keys, {"root": 2}, policy or Policy(), now())
        change.keep()
        return change

    def ready(self, policy: Policy | None = None) -> "FleetRepository":
        """In force, with a role for one hardware."""
        self.begin(policy)
        self.sign("alice", "bob", "dora")
        change = self.change()
        add_key(self.folder, change, HARDWARE, self.key("release"), None)
        change.keep()
        self.sign("dora")
        return self

    def change(self) -> Change:
        return Change(self.folder, now())

    def ring(self, *names: str) -> KeyRing:
        return KeyRing.of(self.folder, [self.key(name) for name in names], no_passphrase)

    def sign(self, *names: str) -> list[str]:
        """Sign the pending change by ``names``, and put it in force if it is complete; returns what was written."""
        change = self.change()
        ring = self.ring(*names)
        change.sign(ring)
        change.keep()
        return put_in_force(self.folder, change, ring, now()) if change.is_complete else []

    def renew(self, *names: str) -> None:
        """Ask for the next version of roles, as they are."""
        change = self.change()
        for role in names:
            renew(change, role)
        change.keep()

    def publish(self, version: str = "1.0.0", names: Sequence[str] = (), **said) -> Published:
        package = read_package(packed(self.path / f"rosette-{version}.zip", version, **said))
        return publish(self.folder, package, HARDWARE, self.ring(*names), now())

    def device(self, name: str = "device") -> UpdateClient:
        """A device that reads the folder, provisioned with the first root; the same name remembers what it saw."""
        source = Source.in_folder(self.folder.public)
        return UpdateClient(self.path / name / "trust", source, bootstrap=self.bootstrap, reserve_bytes=0)

    def served(self) -> dict[str, bytes]:
        """Every file that a host would serve."""
        return {str(path): path.read_bytes() for path in self.folder.public.rglob("*") if path.is_file()}
