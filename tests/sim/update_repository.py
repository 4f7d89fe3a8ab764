"""A repository of The Update Framework in memory, whose owner can also be the attacker: every role can be forged.

It uses python-tuf's Metadata API alone, so that a device's packages suffice for the tests of the device.
"""

import hashlib
from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime, timedelta, timezone

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from edge.contract.control import ModelRef, Release
from edge.contract.repository import ISSUED, target_path

HARDWARE = "onnx-cpu"
OTHER_HARDWARE = "orin-trt10"
DIGEST = f"sha256:{'0' * 64}"


def release(version: str = "1.0.0", hardware: str = HARDWARE, needs_bytes: int = 0) -> Release:
    """What a package of this simulator says of itself."""
    return Release(
        model=ModelRef(name="rosette", version=version, digest=DIGEST), hardware=hardware, needs_bytes=needs_bytes
    )


class UpdateRepository:
    """Roles in ``signed``, their keys in ``signers``; ``publish`` signs, and puts the files where a host finds them.

    Root has three keys and needs two. Each of two hardwares has a role.
    """

    def __init__(self, files: dict[str, bytes], now: datetime) -> None:
        self.files = files
        self.now = now
        self.signers: dict[str, list[Signer]] = {
            role: [CryptoSigner.generate_ed25519() for _ in range(3 if role == Root.type else 1)]
            for role in (Root.type, Targets.type, Snapshot.type, Timestamp.type, HARDWARE, OTHER_HARDWARE)
        }
        later = now + timedelta(days=30)
        self.root = Root(expires=now + timedelta(days=365), consistent_snapshot=True)
        self.targets = Targets(expires=later, delegations=Delegations({}, {}))
        self.hardware = {name: Targets(expires=later) for name in (HARDWARE, OTHER_HARDWARE)}
        self.snapshot = Snapshot(expires=later, meta={})
        self.timestamp = Timestamp(expires=now + timedelta(days=2), snapshot_meta=MetaFile(1))
        for role in self.signers:
            self.signed(role).version = 0
        self._list_keys()
        self.publish(Root.type, *self.hardware, Targets.type)

    @property
    def bootstrap(self) -> bytes:
        """The first root, which a device is provisioned with."""
        return self.files["/metadata/1.root.json"]

    def signed(self, role: str) -> Signed:
        """The content of a role, to be altered before ``publish``."""
        tops = {"root": self.root, "targets": self.targets, "snapshot": self.snapshot, "timestamp": self.timestamp}
        return {**tops, **self.hardware}[role]

    def publish(self, *roles: str) -> None:
        """Sign the next version of ``roles``, of snapshot and of timestamp."""
        for role in roles:
            self._next(role)
            if role != Root.type:
                content = self.files[self._name(role)]
                self.snapshot.meta[f"{role}.json"] = MetaFile.from_data(self.signed(role).version, content, ["sha256"])
        self._next(Snapshot.type)
        self.point()

    def point(self) -> None:
        """Sign a timestamp that points to the snapshot as it is."""
        content = self.files[self._name(Snapshot.type)]
        self.timestamp.snapshot_meta = MetaFile.from_data(self.snapshot.version, content, ["sha256"])
        self.timestamp.unrecognized_fields[ISSUED] = self.now.isoformat()
        self._next(Timestamp.type)

    def offer(self, content: bytes, said: Release | None = None, path: str | None = None, role: str = HARDWARE) -> str:
        """Put a file into the role of a hardware, and publish it. Returns its path."""
        said = said or release()
        path = path or target_path(said.hardware, said.model.name, said.model.version)
        file = TargetFile.from_data(path, content, ["sha256"])
        file.unrecognized_fields["custom"] = said.model_dump(mode="json")
        self.hardware[role].targets[path] = file
        self.files[self.place(path, content)] = content
        self.publish(role)
        return path

    def place(self, path: str, content: bytes) -> str:
        """Where the host has the content of a target."""
        folder, _, name = path.rpartition("/")
        return f"/targets/{folder}/{hashlib.sha256(content).hexdigest()}.{name}"

    def keep(self) -> dict[str, bytes]:
        """The files as they are now, for an attacker who shows them again later."""
        return dict(self.files)

    def put(self, role: str, signed: Signed, signers: Iterable[Signer]) -> None:
        """Write metadata as it is, signed by whoever; forged, if the keys are not the role's."""
        metadata = Metadata(deepcopy(signed))
        for signer in signers:
            metadata.sign(signer, append=True)
        self.files[self._name(role)] = metadata.to_bytes()

    def _next(self, role: str) -> None:
        self.signed(role).version += 1
        self.put(role, self.signed(role), self.signers[role])

    def _name(self, role: str) -> str:
        version = "" if role == Timestamp.type else f"{self.signed(role).version}."
        return f"/metadata/{version}{role}.json"

    def _list_keys(self) -> None:
        for role, signers in self.signers.items():
            if role in self.hardware:
                assert self.targets.delegations is not None
                assert self.targets.delegations.roles is not None
                paths = [f"{role}/*"]
                self.targets.delegations.roles[role] = DelegatedRole(role, [], 1, terminating=True, paths=paths)
            for signer in signers:
                (self.targets if role in self.hardware else self.root).add_key(signer.public_key, role)
        self.root.roles[Root.type].threshold = 2


def utc(day: int, hour: int = 12) -> datetime:
    """A moment in a made-up month."""
    return datetime(2031, 3, 1, hour, tzinfo=timezone.utc) + timedelta(days=day)
