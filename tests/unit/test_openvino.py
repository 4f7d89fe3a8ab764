"""OpenVINO runs the same files to the same answers, and refuses what ONNX Runtime refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge.backends import Backend, open_backend
from edge.errors import InferenceFailed, PackageInvalid
from edge.golden import read_golden
from edge.package import ModelPackage
from edge.preprocess import fit
from edge.settings import InferenceSettings
from tests.sim.green_model import build_green_package, green_graph, green_manifest, write_package

pytest.importorskip("openvino", reason="OpenVINO is an extra: pip install 'canopy-edge[openvino]'")

ROSETTE = Path(__file__).parents[2] / "packages" / "rosette"
SIZE = {"height_px": 64, "width_px": 64}
MANIFEST = green_manifest(**SIZE)


def opened(folder: Path, precision="auto", backend="openvino", threads=1) -> Backend:
    settings = InferenceSettings(package=folder, precision=precision, backend=backend, threads=threads)
    return open_backend(ModelPackage.open(folder), settings)


@pytest.mark.parametrize("precision", sorted(ModelPackage.open(ROSETTE).manifest.models))
def test_the_shipped_golden_frames_come_out_of_every_file(precision) -> None:
    package = ModelPackage.open(ROSETTE)
    backend, size = opened(ROSETTE, precision), package.manifest.input
    frames = list(read_golden(package))
    found = [backend.infer(fit(golden.picture, size.height_px, size.width_px)[0]) for golden in frames]
    assert "OpenVINO" in backend.name
    assert all(golden.agrees(inference) for golden, inference in zip(frames, found, strict=True))
    assert not frames[0].agrees(found[1])


def test_peaks_lie_where_onnx_runtime_finds_them_to_the_cell() -> None:
    golden = next(read_golden(ModelPackage.open(ROSETTE)))
    image = fit(golden.picture, 512, 512)[0]
    one, other = (opened(ROSETTE, "fp16", backend).infer(image).centers for backend in ("openvino", "cpu"))
    surest = one[:, 2] > 0.3
    assert surest.any()
    np.testing.assert_array_equal(one[surest][:, [0, 1, 3]], other[surest][:, [0, 1, 3]])


def test_two_threads_give_what_one_gives() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 512, 512, 3), np.uint8)
    one, two = (opened(ROSETTE, "int8.cpu", threads=threads).infer(image) for threads in (1, 2))
    np.testing.assert_array_equal(one.classes, two.classes)


def test_an_answer_outlives_the_next_one(tmp_path: Path) -> None:
    backend = opened(build_green_package(tmp_path / "green", **SIZE))
    black, green = np.zeros((1, 64, 64, 3), np.uint8), np.full((1, 64, 64, 3), (0, 200, 0), np.uint8)
    first = backend.infer(green)
    assert first.classes.all()
    backend.infer(black)
    assert first.classes.all()


@pytest.mark.parametrize(
    "content", [b"this is no graph", b"\x00" * 100, green_graph(64, 64, 32).SerializeToString()[:999]]
)
def test_what_is_no_onnx_is_refused_when_opened(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PackageInvalid, match="OpenVINO can load"):
        opened(write_package(tmp_path / "p", content, MANIFEST))


def test_a_graph_that_reads_files_beside_it_is_refused(tmp_path: Path) -> None:
    model = green_graph(64, 64, 32)
    large = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "weights").write_bytes(large.raw_data)
    onnx.external_data_helper.set_external_data(large, "weights")
    large.ClearField("raw_data")
    with pytest.raises(PackageInvalid, match="OpenVINO can load"):
        opened(write_package(tmp_path / "p", model.SerializeToString(), MANIFEST))


def test_a_graph_of_another_size_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    model = green_graph(128, 64, 32).SerializeToString()
    with pytest.raises(PackageInvalid, match="its manifest describes"):
        opened(write_package(tmp_path / "p", model, MANIFEST))


def test_nan_from_the_graph_is_an_error_that_names_the_tensor(tmp_path: Path) -> None:
    backend = opened(build_green_package(tmp_path / "green", **SIZE, nan_in="offsets"))
    with pytest.raises(InferenceFailed, match="tensor offsets holds NaN"):
        backend.infer(np.zeros((1, 64, 64, 3), np.uint8))


def test_nobody_who_did_not_ask_for_it_loads_it() -> None:
    script = (
        "import sys; from pathlib import Path; from edge.package import ModelPackage; "
        "from edge.backends import open_backend; from edge.settings import InferenceSettings; "
        f"package = Path({str(ROSETTE)!r}); "
        "open_backend(ModelPackage.open(package), InferenceSettings(package=package)); "
        "sys.exit('openvino' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROSETTE.parents[1]).returncode == 0
