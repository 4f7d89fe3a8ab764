"""Our top-level names are common words: whatever else is installed, they must mean our own files."""

import importlib
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("edge", "training", "export", "fleet")


@pytest.mark.parametrize("name", NAMES)
def test_a_top_level_name_is_our_own_folder(name):
    module = importlib.import_module(name)

    assert [Path(place) for place in module.__path__] == [ROOT / name]
    assert (ROOT / name / "py.typed").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_no_other_distribution_installs_a_name_of_ours(name):
    assert set(packages_distributions().get(name, [])) <= {"canopy-edge"}


def test_the_distribution_cannot_be_uploaded_by_mistake():
    assert "Private :: Do Not Upload" in metadata("canopy-edge").get_all("Classifier")


def test_tests_and_configurations_are_never_installed():
    installed = {name for name, owners in packages_distributions().items() if "canopy-edge" in owners}
    assert not installed & {"tests", "configs", "benchmarks", "demo", "packages", "docs"}
