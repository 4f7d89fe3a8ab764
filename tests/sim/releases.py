"""Packages in a real update repository, and the orders that a fleet would give to have them installed."""

from pathlib import Path

from edge.archive import pack
from edge.contract.control import ModelRef, Wanted
from edge.package import ModelPackage
from fleet.repository.folder import RepositoryFolder
from fleet.repository.package import read_package
from fleet.repository.publish import publish
from fleet.repository.roles import add_key
from tests.sim.fleet_repository import HARDWARE, FleetRepository, now

OTHER_HARDWARE = "orin"


class Releases:
    """Publishes packages for two kinds of hardware; ``public`` is what devices see, ``root`` what they are given."""

    def __init__(self, folder: Path) -> None:
        self._made = FleetRepository(folder).ready()
        change = self._made.change()
        add_key(self.folder, change, OTHER_HARDWARE, self._made.key("other"), None)
        change.keep()
        self._made.sign("dora")

    @property
    def folder(self) -> RepositoryFolder:
        return self._made.folder

    @property
    def public(self) -> Path:
        return self.folder.public

    @property
    def root(self) -> Path:
        return self.folder.metadata / "1.root.json"

    def publish(self, package: Path, hardware: str = HARDWARE) -> Wanted:
        """Sign and offer a package folder; what a fleet would order to have it installed."""
        opened = ModelPackage.open(package)
        zipped = self._made.path / f"{opened.manifest.version}.zip"
        pack(opened, zipped)
        published = publish(self.folder, read_package(zipped), hardware, self._made.ring(), now())
        return Wanted(model=opened.ref, target=published.target)


def wanted_of(model: ModelRef, hardware: str = HARDWARE) -> Wanted:
    """An order for a model, whether it is published or not."""
    return Wanted(model=model, target=f"{hardware}/{model.name}-{model.version}.zip")
