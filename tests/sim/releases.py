"""A real update repository in a folder, with all of its keys, as the fleet's commands make it."""

from datetime import datetime, timezone
from pathlib import Path

from edge.archive import pack
from edge.contract.control import ModelRef, Wanted
from edge.package import ModelPackage
from fleet.repository.folder import Policy, RepositoryFolder
from fleet.repository.issue import put_in_force
from fleet.repository.keys import make_key
from fleet.repository.package import read_package
from fleet.repository.publish import publish
from fleet.repository.ring import KeyRing
from fleet.repository.roles import add_key, begin

HARDWARE = "cpu"
OTHER_HARDWARE = "orin"


class Releases:
    """Publishes packages for ``HARDWARE``; ``public`` is what a device may see, ``root`` what it is born with."""

    def __init__(self, folder: Path) -> None:
        self.folder = RepositoryFolder(folder / "repository")
        self._scratch = folder
        now = datetime.now(timezone.utc)
        keys = {role: [make_key(folder / "keys" / role, "")] for role in ("root", "targets", "snapshot", "timestamp")}
        given = [key for each in keys.values() for key in each]
        change = begin(self.folder, keys, {}, Policy(), now)
        for hardware in (HARDWARE, OTHER_HARDWARE):
            add_key(self.folder, change, hardware, make_key(folder / "keys" / hardware, ""), None)
        self._ring = KeyRing.of(self.folder, given, lambda _: "")
        change.sign(self._ring)
        put_in_force(self.folder, change, self._ring, now)

    @property
    def public(self) -> Path:
        return self.folder.public

    @property
    def root(self) -> Path:
        return self.folder.metadata / "1.root.json"

    def publish(self, package: Path, hardware: str = HARDWARE) -> Wanted:
        """Sign and offer a package folder; what a fleet would order to have it installed."""
        opened = ModelPackage.open(package)
        zipped = self._scratch / f"{opened.manifest.version}.zip"
        pack(opened, zipped)
        ring = KeyRing.of(self.folder, (), lambda _: "")
        published = publish(self.folder, read_package(zipped), hardware, ring, datetime.now(timezone.utc))
        return Wanted(model=opened.ref, target=published.target)


def wanted_of(model: ModelRef, hardware: str = HARDWARE) -> Wanted:
    """An order for a model, whether it is published or not."""
    return Wanted(model=model, target=f"{hardware}/{model.name}-{model.version}.zip")
