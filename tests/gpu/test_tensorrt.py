"""TensorRT in earnest: the shipped packages, built, compared and run where TensorRT and a GPU are."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge.acceptance.accept import accept
from edge.backends import open_backend, prepare
from edge.engine import machine
from edge.golden import read_golden
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.settings import EngineSettings, InferenceSettings

PACKAGES = sorted(path.parent for path in (Path(__file__).parents[2] / "packages").glob("*/manifest.json"))

pytestmark = [
    pytest.mark.skipif(machine.missing() is not None, reason=f"{machine.missing()}"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


def settings_of(package: Path, engines: Path) -> InferenceSettings:
    return InferenceSettings(package=package, backend="tensorrt", engine=EngineSettings(folder=engines))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_what_ships_is_accepted(package: Path, engines: Path) -> None:
    found = accept(settings_of(package, engines), [], 50, lambda share, doing: None)
    assert found.passed, [check for check in found.checks if not check.passed]
    assert "CUDA graphs" in found.backend
    assert "no CUDA graphs" not in found.backend


def test_pictures_in_flight_come_out_as_they_do_alone(engines: Path) -> None:
    settings = settings_of(PACKAGES[0], engines)
    package = ModelPackage.open(PACKAGES[0])
    prepare(package, settings, lambda share, doing: None)
    size = package.manifest.input
    pictures = [fit(each.picture, size.height_px, size.width_px)[0] for each in read_golden(package)] * 10
    backend = open_backend(package, settings)
    try:
        alone = [backend.infer(picture).centers for picture in islice(pictures, 2)]
        together = [each.centers for each in backend.infer_each(iter(pictures))]
    finally:
        backend.close()
    assert all(np.allclose(together[n], alone[n % 2], atol=1e-3) for n in range(len(pictures)))
