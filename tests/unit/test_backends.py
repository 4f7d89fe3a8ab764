import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge import backends
from edge.backends import Backend, Runtime, open_backend, prepare
from edge.backends.installed import cpu_precisions
from edge.errors import BackendMissing, DeviceFailed, EngineMissing, InferenceFailed, PackageInvalid
from edge.package import ModelPackage
from edge.settings import InferenceSettings
from tests.sim.answers import AnswerBackend, answer
from tests.sim.green_model import build_green_package, green_graph, green_manifest, write_package
from tests.sim.pictures import discs, soil

SIZE = {"height_px": 64, "width_px": 64}
MANIFEST = green_manifest(**SIZE)
IMAGE = np.zeros((1, 64, 64, 3), np.uint8)


def opened(folder, precision="auto") -> Backend:
    return open_backend(ModelPackage.open(folder), InferenceSettings(package=folder, precision=precision))


def test_the_green_model_finds_two_plants_where_they_are(tmp_path):
    backend = opened(build_green_package(tmp_path / "green", **SIZE))

    inference = backend.infer(discs(soil(64, 64), [(16, 16, 8), (44, 48, 8)])[None])

    plants = inference.centers[(inference.centers[:, 3] == 0) & (inference.centers[:, 2] > 0.1)]
    assert sorted(np.rint(plants[:, 0]).tolist()) == pytest.approx([3.5, 10.5], abs=1)
    assert sorted(np.rint(plants[:, 1]).tolist()) == pytest.approx([3.5, 11.5], abs=1)
    assert inference.classes.shape == (16, 16)
    assert inference.classes[4, 4] == 1
    assert inference.classes[0, 15] == 0
    assert (inference.certainty > 0.5).all()


def test_bare_soil_has_no_centre(tmp_path):
    inference = opened(build_green_package(tmp_path / "green", **SIZE)).infer(soil(64, 64)[None])

    assert not inference.classes.any()
    assert not inference.centers[:, 2].any()


def test_the_backend_says_what_runs(tmp_path):
    assert "ONNX Runtime" in opened(build_green_package(tmp_path / "green", **SIZE)).name
    assert "fp32" in opened(build_green_package(tmp_path / "green", **SIZE)).name


@pytest.mark.parametrize("content", [b"this is no graph", b"\x00" * 100])
def test_what_is_no_onnx_is_refused_when_opened(tmp_path, content):
    folder = write_package(tmp_path / "p", content, MANIFEST)
    with pytest.raises(PackageInvalid, match=r"model\.fp32\.onnx"):
        opened(folder)


def test_a_truncated_graph_that_its_manifest_vouches_for_is_refused_when_opened(tmp_path):
    content = green_graph(64, 64, 32).SerializeToString()
    with pytest.raises(PackageInvalid, match="can load"):
        opened(write_package(tmp_path / "p", content[: len(content) // 2], MANIFEST))


def test_a_foreign_graph_is_refused_with_what_it_has_and_what_it_should_have(tmp_path):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])
    answer_value = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "foreign", [value], [answer_value])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    with pytest.raises(PackageInvalid, match=r"x float32 \[1, 8\].*image uint8 \[1, 64, 64, 3\]"):
        opened(write_package(tmp_path / "p", model.SerializeToString(), MANIFEST))


@pytest.mark.parametrize("other", [{"height_px": 128}, {"top_k": 16}])
def test_a_graph_of_another_size_than_its_manifest_says_is_refused(tmp_path, other):
    size = {**SIZE, "top_k": 32}
    model = green_graph(**{**size, **other})
    with pytest.raises(PackageInvalid, match="its manifest describes"):
        opened(write_package(tmp_path / "p", model.SerializeToString(), green_manifest(**size)))


def test_a_graph_that_reads_files_beside_it_is_refused(tmp_path):
    model = green_graph(64, 64, 32)
    large = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "weights").write_bytes(large.raw_data)
    onnx.external_data_helper.set_external_data(large, "weights")
    large.ClearField("raw_data")
    with pytest.raises(PackageInvalid, match="can load"):
        opened(write_package(tmp_path / "p", model.SerializeToString(), MANIFEST))


def test_a_precision_that_the_package_lacks_is_refused(tmp_path):
    with pytest.raises(PackageInvalid, match="no fp16 model"):
        opened(build_green_package(tmp_path / "green", **SIZE), precision="fp16")


@pytest.mark.parametrize("output", ["features", "certainty", "centers", "offsets"])
def test_nan_from_the_graph_is_an_error_that_names_the_tensor(tmp_path, output):
    backend = opened(build_green_package(tmp_path / "green", **SIZE, nan_in=output))
    with pytest.raises(InferenceFailed, match=f"tensor {output} holds NaN"):
        backend.infer(IMAGE)


@pytest.mark.parametrize("image", [IMAGE[0], IMAGE.astype(np.float32), np.zeros((1, 32, 64, 3), np.uint8)])
def test_an_image_of_another_shape_or_type_is_refused(tmp_path, image):
    with pytest.raises(InferenceFailed, match="tensor image is"):
        opened(build_green_package(tmp_path / "green", **SIZE)).infer(image)


def test_a_runtime_that_breaks_is_our_error_with_its_cause():
    class Broken(Backend):
        name = "broken"

        def _run(self, image):
            raise RuntimeError("out of memory")

    with pytest.raises(InferenceFailed, match="broken failed: out of memory") as caught:
        Broken(MANIFEST).infer(IMAGE)
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", np.full((1, 16, 16), 2, np.uint8)),
        ("classes", np.zeros((1, 16, 16), np.int64)),
        ("centers", np.full((1, 32, 4), 2, np.float32)),
        ("centers", np.full((1, 32, 4), -1, np.float32)),
        ("centers", np.full((1, 32, 4), 0.5, np.float32)),
        ("offsets", np.full((1, 2, 16, 16), np.inf, np.float32)),
        ("offsets", np.zeros((1, 2, 16, 15), np.float32)),
        ("features", None),
    ],
)
def test_an_output_that_breaks_the_graph_contract_is_named(name, value):
    backend = AnswerBackend(MANIFEST, {**answer(MANIFEST), name: value})
    with pytest.raises(InferenceFailed, match=f"tensor {name} "):
        backend.infer(IMAGE)


def runtime(name, *, missing=None, failure=None, precisions=("fp32",), prepared=None):
    """A row of the table that answers nothing, or fails as it is told."""

    def load(package, precision, settings):
        if failure:
            raise failure
        backend = AnswerBackend(package.manifest, answer(package.manifest))
        backend.name = f"{name} {precision}"
        return backend

    return Runtime(name, precisions, lambda: missing, load, prepared)


@pytest.fixture
def green(tmp_path):
    return ModelPackage.open(build_green_package(tmp_path / "green", **SIZE))


def asked(package, backend="auto", precision="auto"):
    return InferenceSettings(package=package.path, backend=backend, precision=precision)


def test_auto_takes_the_first_that_can_run_here_and_says_why_not_the_others(green, monkeypatch):
    rows = (
        runtime("tensorrt", missing="no GPU"),
        runtime("cuda", precisions=("fp16",)),
        runtime("cpu"),
        runtime("openvino"),
    )
    monkeypatch.setattr(backends, "RUNTIMES", rows)
    backend = open_backend(green, asked(green))
    assert (backend.name, backend.runtime, backend.precision) == ("cpu fp32", "cpu", "fp32")
    assert backend.passed_over == ("tensorrt: no GPU", "cuda: it runs fp16, which this package lacks")
    assert not backend.can_be_bettered


def test_a_runtime_that_fails_makes_room_for_the_next_unless_it_was_named(green, monkeypatch):
    rows = (runtime("tensorrt", failure=EngineMissing("not built")), runtime("cpu"))
    monkeypatch.setattr(backends, "RUNTIMES", rows)
    backend = open_backend(green, asked(green))
    assert backend.passed_over == ("tensorrt: not built",)
    assert backend.can_be_bettered
    with pytest.raises(EngineMissing, match="not built"):
        open_backend(green, asked(green, "tensorrt"))


def test_when_the_last_one_fails_its_own_error_is_told(green, monkeypatch):
    rows = (runtime("tensorrt", failure=DeviceFailed("no memory")), runtime("cpu", failure=PackageInvalid("broken")))
    monkeypatch.setattr(backends, "RUNTIMES", rows)
    with pytest.raises(PackageInvalid, match="broken"):
        open_backend(green, asked(green))


def test_a_named_runtime_that_is_not_there_is_refused_with_the_reason(green, monkeypatch):
    monkeypatch.setattr(backends, "RUNTIMES", (runtime("tensorrt", missing="no GPU"), runtime("cpu")))
    with pytest.raises(BackendMissing, match="no GPU; mend that, or set it to auto"):
        open_backend(green, asked(green, "tensorrt"))


def test_only_the_one_that_will_run_is_prepared(green, monkeypatch):
    done = []
    rows = (
        runtime("tensorrt", missing="no GPU", prepared=lambda *_: done.append("tensorrt")),
        runtime("cuda", prepared=lambda *_: done.append("cuda")),
        runtime("cpu", prepared=lambda *_: done.append("cpu")),
    )
    monkeypatch.setattr(backends, "RUNTIMES", rows)
    told = []
    prepare(green, asked(green), lambda share, doing: told.append((share, doing)))
    assert done == ["cuda"]
    assert told == [(1.0, "cuda, fp32: ready")]


def test_a_stream_of_pictures_is_checked_as_each_one_is(green):
    backend = open_backend(green, asked(green, "cpu"))
    assert len(list(backend.infer_each([IMAGE, IMAGE]))) == 2
    with pytest.raises(InferenceFailed, match="tensor image is"):
        list(backend.infer_each([IMAGE, IMAGE[0]]))


@pytest.mark.parametrize(("backend", "named"), [("cuda", "onnxruntime-gpu"), ("ort-tensorrt", "onnxruntime-gpu")])
def test_a_backend_that_this_machine_cannot_run_says_what_to_install(tmp_path, backend, named):
    folder = build_green_package(tmp_path / "green", **SIZE)
    with pytest.raises(BackendMissing, match=named):
        open_backend(ModelPackage.open(folder), InferenceSettings(package=folder, backend=backend))


def test_arm_runs_the_file_with_signed_activations_and_x86_the_other():
    assert cpu_precisions("aarch64")[0] == "int8.trt"
    assert cpu_precisions("x86_64")[0] == "int8.cpu"
    assert set(cpu_precisions("aarch64")) == set(cpu_precisions("x86_64"))
