"""ONNX Runtime on a GPU: CUDA and TensorRT give what the CPU gives. Skipped where there is no GPU."""

from pathlib import Path

import numpy as np
import pytest

from edge.backends import RUNTIMES, Backend, open_backend
from edge.errors import BackendMissing
from edge.golden import read_golden
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.settings import EngineSettings, InferenceSettings

ROSETTE = Path(__file__).parents[2] / "packages" / "rosette"
FILES = [
    (runtime.name, precision)
    for runtime in RUNTIMES
    if runtime.name in {"cuda", "ort-tensorrt"}
    for precision in runtime.precisions
    if precision in ModelPackage.open(ROSETTE).manifest.models
]


def on_gpu(name, precision, tmp_path: Path) -> Backend:
    settings = InferenceSettings(
        package=ROSETTE, backend=name, precision=precision, engine=EngineSettings(folder=tmp_path)
    )
    try:
        return open_backend(ModelPackage.open(ROSETTE), settings)
    except BackendMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.timeout(600)  # TensorRT builds an engine
@pytest.mark.parametrize(("name", "precision"), FILES)
def test_the_golden_frames_come_out_and_no_other(name, precision, tmp_path: Path) -> None:
    backend, size = on_gpu(name, precision, tmp_path), ModelPackage.open(ROSETTE).manifest.input
    frames = list(read_golden(ModelPackage.open(ROSETTE)))
    found = [backend.infer(fit(golden.picture, size.height_px, size.width_px)[0]) for golden in frames]
    assert all(golden.agrees(inference) for golden, inference in zip(frames, found, strict=True))
    assert not frames[0].agrees(found[1])


def test_an_answer_outlives_the_next_one_though_both_had_the_same_place_on_the_gpu(tmp_path: Path) -> None:
    backend = on_gpu("cuda", "fp16", tmp_path)
    golden = next(read_golden(ModelPackage.open(ROSETTE)))
    first = backend.infer(fit(golden.picture, 512, 512)[0])
    backend.infer(np.zeros((1, 512, 512, 3), np.uint8))
    assert golden.agrees(first)


def test_an_engine_is_kept_under_the_file_that_it_was_built_from(tmp_path: Path) -> None:
    on_gpu("ort-tensorrt", "fp16", tmp_path).warm_up()
    digest = ModelPackage.open(ROSETTE).manifest.files["model.fp16.onnx"].sha256.removeprefix("sha256:")
    assert any((tmp_path / "onnxruntime" / digest[:16]).iterdir())
