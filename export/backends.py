"""The device's backends on a package, for whoever measures all of its files and not the one that a device chooses."""

from collections.abc import Iterator

from edge.backends import RUNTIMES, Backend, open_backend, prepare
from edge.contract.manifest import Precision
from edge.errors import BackendMissing
from edge.package import ModelPackage
from edge.settings import InferenceSettings


def open_precision(package: ModelPackage, precision: Precision, backend: str = "cpu") -> Backend:
    """One file of a package on one runtime and one thread; TensorRT builds its engine first.

    Raises:
        BackendMissing: the runtime cannot run on this machine.
        ModelError: it cannot load the file.
    """
    settings = InferenceSettings.model_validate({"package": package.path, "backend": backend, "precision": precision})
    prepare(package, settings, lambda _share, _what: None)
    return open_backend(package, settings)


def runnable(package: ModelPackage) -> Iterator[tuple[str, Precision, Backend | str]]:
    """Each file of a package on each runtime that takes it: the open backend, or why it cannot run on this machine.

    Of a runtime that is not there only the first file is told of.
    """
    for runtime in RUNTIMES:
        files = [precision for precision in runtime.precisions if precision in package.manifest.models]
        for precision in files:
            if (reason := runtime.missing()) is not None:
                yield runtime.name, precision, reason
                break
            try:
                yield runtime.name, precision, open_precision(package, precision, runtime.name)
            except BackendMissing as missing:
                yield runtime.name, precision, str(missing)
