"""The self-test lets a good version pass, and each kind of bad one fails it for its own reason."""

import signal
from pathlib import Path

import numpy as np
import pytest

from edge.contract.control import ModelRef
from edge.errors import CandidateRejected
from edge.model import LoadedModel
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.settings import InferenceSettings, UpdateSettings
from edge.sights import Finding, Sight
from edge.update.gate import Passed, self_test
from edge.update.trial import Trial
from tests.sim.versions import Flaw, build_version, pot_pictures

LIMITS = UpdateSettings(hardware="cpu", root=Path("root.json"))


@pytest.fixture(scope="module")
def active(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = build_version(tmp_path_factory.mktemp("active"), "0.0.1")
    return LoadedModel.load(folder, InferenceSettings(package=folder))


def sights_of(model: LoadedModel, pictures: list) -> list[Sight]:
    sights = []
    for number, picture in enumerate(pictures):
        image, placement = fit(picture, model.manifest.input.height_px, model.manifest.input.width_px)
        finding = Finding.of(model.segment(image, placement), placement, model.manifest)
        sights.append(Sight("top", float(number), model.package.digest, image[0][placement.region], finding))
    return sights


def tried(folder: Path, active: LoadedModel, limits: UpdateSettings = LIMITS) -> Passed:
    digest = ModelPackage.open(folder).digest
    model = ModelRef(name="green", version="0.0.2", digest=digest)
    inference = InferenceSettings(package=Path("elsewhere"))
    return self_test(folder, model, inference, limits, sights_of(active, pot_pictures(4)))


def test_a_good_version_passes_and_is_measured(tmp_path, active):
    passed = tried(build_version(tmp_path, "0.0.2"), active)
    assert "ONNX Runtime" in passed.backend
    assert 0 < passed.latency_ms < LIMITS.latency_ms
    assert 10**6 < passed.peak_bytes < LIMITS.memory_bytes
    assert (passed.agreement.pictures, passed.agreement.agreed) == (4, 4)
    assert passed.agreement.count_bins[8] == passed.agreement.class_bins[9] == 4


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("blind", "golden"),
        ("blind and recorded so", "blind"),
        ("misremembers", "1 of 2 golden"),
        ("gives NaN", "NaN"),
        ("keen", "disagrees"),
        ("no golden frames", "no golden frames"),
    ],
)
def test_a_version_that_nobody_should_run_is_refused_for_what_is_wrong_with_it(tmp_path, active, flaw: Flaw, reason):
    with pytest.raises(CandidateRejected, match=reason):
        tried(build_version(tmp_path, "0.0.2", flaw), active)


def test_a_blind_version_whose_golden_frames_show_plants_is_told_by_this_devices_own_pictures(
    tmp_path, active, monkeypatch
):
    monkeypatch.setattr("edge.update.gate.check_golden", lambda trial: None)
    with pytest.raises(CandidateRejected, match="no plant in any of the 4 pictures"):
        tried(build_version(tmp_path, "0.0.2", "blind"), active)


def test_a_slow_version_is_refused(tmp_path, active):
    with pytest.raises(CandidateRejected, match="too slow"):
        tried(build_version(tmp_path, "0.0.2"), active, LIMITS.model_copy(update={"latency_ms": 1e-6}))


@pytest.mark.parametrize(("allowed_bytes", "reason"), [(850 * 2**20, "MiB at its peak"), (2**26, "it was ended at")])
def test_a_version_that_eats_memory_is_refused_and_takes_nothing_else_down(tmp_path, active, allowed_bytes, reason):
    limits = LIMITS.model_copy(update={"memory_bytes": allowed_bytes})
    with pytest.raises(CandidateRejected, match=reason):
        tried(build_version(tmp_path, "0.0.2", "hungry"), active, limits)


def test_a_version_that_never_answers_is_ended(tmp_path, active):
    with pytest.raises(CandidateRejected, match="no answer within"):
        tried(build_version(tmp_path, "0.0.2"), active, LIMITS.model_copy(update={"answer_within_s": 0.01}))


def test_an_altered_package_is_not_even_loaded(tmp_path, active):
    folder = build_version(tmp_path, "0.0.2")
    digest = ModelPackage.open(folder).digest
    (folder / "model.fp32.onnx").write_bytes(b"x" * (folder / "model.fp32.onnx").stat().st_size)
    with pytest.raises(CandidateRejected, match="altered"):
        self_test(
            folder,
            ModelRef(name="green", version="0.0.2", digest=digest),
            InferenceSettings(package=folder),
            LIMITS,
            [],
        )


def test_without_plants_in_sight_nothing_is_held_against_anybody(tmp_path, active):
    folder = build_version(tmp_path, "0.0.2")
    bare = sights_of(active, [np.full((128, 128, 3), 60, np.uint8)] * 3)
    model = ModelRef(name="green", version="0.0.2", digest=ModelPackage.open(folder).digest)
    passed = self_test(folder, model, InferenceSettings(package=folder), LIMITS, bare)
    assert passed.agreement.agreed == 3


def test_a_process_that_dies_is_told_by_its_signal(tmp_path):
    folder = build_version(tmp_path, "0.0.2")
    trial = Trial(folder, InferenceSettings(package=folder), LIMITS.memory_bytes)
    try:
        trial.load()
        trial._process.send_signal(signal.SIGSEGV)
        with pytest.raises(CandidateRejected, match="SIGSEGV"):
            trial.latency_ms(3)
    finally:
        trial.close()
