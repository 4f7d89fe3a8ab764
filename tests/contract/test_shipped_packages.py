"""Every package that ships: it is what its manifest says, small, in INT8 throughout, and can be trained on."""

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest

from edge.contract.reference import REFERENCE_FILE, Reference
from edge.golden import read_golden
from edge.package import ModelPackage
from export.golden import check_golden
from export.package import open_precision
from training.checkpoint import load_network
from training.spec import ModelSpec

PACKAGES = sorted(path for path in (Path(__file__).parents[2] / "packages").iterdir() if path.is_dir())


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda path: path.name)
def package(request: pytest.FixtureRequest) -> ModelPackage:
    return ModelPackage.open(request.param)


def test_the_golden_frames_come_out_of_every_file_as_they_did_when_it_was_built(package: ModelPackage) -> None:
    assert list(read_golden(package))
    for precision in package.manifest.models:
        check_golden(package, open_precision(package, precision))


def test_no_convolution_of_the_int8_model_runs_in_float(package: ModelPackage, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(package.model("int8.cpu").read_bytes(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert kinds["Conv"] == kinds["FusedConv"] == 0
    assert kinds["QLinearConv"] >= 20


def test_it_is_small_enough_for_the_repository(package: ModelPackage) -> None:
    assert sum(entry.length_bytes for entry in package.manifest.files.values()) < 20_000_000


def test_training_can_go_on_from_it(package: ModelPackage) -> None:
    network = load_network(package.path)
    assert network.spec == ModelSpec.of(package.manifest)


def test_it_says_what_its_pictures_and_answers_looked_like(package: ModelPackage) -> None:
    reference = Reference.model_validate_json((package.path / REFERENCE_FILE).read_bytes())
    assert reference.model == package.manifest.files[package.manifest.models["int8.cpu"]].sha256
    assert len(reference.features_mean) == package.manifest.features


def test_it_says_which_data_and_which_code_it_came_from(package: ModelPackage) -> None:
    assert package.manifest.lineage.dataset
    assert package.manifest.lineage.git_commit
