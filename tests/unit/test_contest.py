"""Champion and candidate are measured on the same pictures, by the device's own decoder, or not at all."""

import json
import shutil
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from edge.contract.comparison import Comparison
from edge.errors import ConfigError
from edge.package import ModelPackage
from export.cli import app
from export.contest import comparable, contest, labelled
from export.evidence import Rendered
from training.args import DataSettings
from training.spec import ModelSpec

PACKAGES = Path(__file__).parents[2] / "packages"
RUN = CliRunner(env={"COLUMNS": "80"})


@pytest.fixture(scope="module")
def rosette() -> ModelPackage:
    return ModelPackage.open(PACKAGES / "rosette")


@pytest.fixture(scope="module")
def blind(rosette: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """The same, but for a leaf to count it wants to be almost certain."""
    folder = tmp_path_factory.mktemp("packages") / "blind"
    shutil.copytree(rosette.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["things"][1]["threshold"], manifest["version"] = 0.99, "9.0.0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return ModelPackage.open(folder)


def scenes(package: ModelPackage, count: int = 3) -> Rendered:
    return Rendered(ModelSpec.of(package.manifest), 8_100_000, count, 256)


def test_a_worse_candidate_measures_worse_and_an_equal_one_the_same(rosette: ModelPackage, blind: ModelPackage) -> None:
    found = contest(rosette, blind, {"benchmark": scenes(rosette)})
    (part,) = found.slices
    assert part.candidate["leaf_count_mae"] > part.champion["leaf_count_mae"]
    assert (found.champion, found.candidate) == (rosette.ref, blind.ref)
    assert (part.pictures, part.data) == (3, scenes(rosette).digest)
    (same,) = contest(rosette, rosette, {"benchmark": scenes(rosette)}).slices
    assert same.champion == same.candidate == part.champion


def test_models_that_count_other_things_are_not_compared(rosette: ModelPackage) -> None:
    with pytest.raises(ConfigError, match="nothing of it can be compared"):
        comparable(rosette, ModelPackage.open(PACKAGES / "fruit"))


def test_the_command_writes_what_the_fleet_reads(rosette: ModelPackage, blind: ModelPackage, tmp_path: Path) -> None:
    scene, data = scenes(rosette).scene(0), tmp_path / "data"
    (data / "images").mkdir(parents=True)
    (data / "masks").mkdir()
    cv2.imwrite(str(data / "images/a.png"), scene.pixels)
    cv2.imwrite(str(data / "masks/a.png"), scene.labels.instances[1])
    words = [rosette.path, blind.path, "--out", tmp_path / "c.json", "--held-back", 1, "--slice", f"drifted={data}"]
    done = RUN.invoke(app, ["compare", *map(str, words)])
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    found = Comparison.model_validate_json((tmp_path / "c.json").read_bytes())
    assert [each.name for each in found.slices] == ["benchmark", "drifted"]
    spec = ModelSpec.of(rosette.manifest)
    assert found.slices[1].data == labelled(data, spec, DataSettings()).digest


@pytest.mark.parametrize("named", ["drifted", "elsewhere=data", "=data"])
def test_a_slice_of_no_kind_is_refused(rosette: ModelPackage, tmp_path: Path, named: str) -> None:
    words = ["compare", str(rosette.path), str(rosette.path), "--out", str(tmp_path / "c"), "--slice", named]
    done = RUN.invoke(app, words)
    assert (done.exit_code, "site:NAME=DATA" in done.output) == (2, True)
