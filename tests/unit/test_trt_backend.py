"""The TensorRT backend against a GPU that does work only when it is waited for, and a TensorRT with real numbers."""

import hashlib
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from edge.backends import open_backend, prepare
from edge.backends.trt import open_engine
from edge.engine.cache import PLAN_FILE, SIDECAR_FILE, Sidecar
from edge.errors import BackendMissing, DeviceFailed, EngineInvalid, EngineMissing, InferenceFailed
from edge.package import ModelPackage
from edge.settings import EngineSettings, InferenceSettings
from tests.sim.faked_nvidia import nvidia
from tests.sim.green_model import build_green_package
from tests.sim.pictures import discs, soil

__all__ = ["nvidia"]

SIZE = {"height_px": 64, "width_px": 64}


def silent(share: float, doing: str) -> None: ...


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    return ModelPackage.open(build_green_package(tmp_path / "green", **SIZE))


@pytest.fixture
def settings(tmp_path: Path, package: ModelPackage) -> InferenceSettings:
    return InferenceSettings(
        package=package.path, backend="tensorrt", engine=EngineSettings(folder=tmp_path / "engines")
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs an engine leaves it for the others."""
    return tmp_path_factory.mktemp("built")


@pytest.fixture
def prepared(nvidia, package, settings, built: Path) -> None:
    if not (built / "engines").exists():
        prepare(package, settings, silent)
        shutil.copytree(settings.engine.folder, built / "engines")
    else:
        shutil.copytree(built / "engines", settings.engine.folder)


@pytest.fixture
def pictures() -> list[np.ndarray]:
    return [discs(soil(64, 64), [(16 + 4 * n, 16, 8), (44, 48, 4 + n)])[None] for n in range(5)]


def only_engine(settings: InferenceSettings) -> Path:
    (sidecar,) = settings.engine.folder.glob(f"*/{SIDECAR_FILE}")
    return sidecar.parent


def same(ours, theirs) -> bool:
    return all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ours.__slots__)


def test_a_prepared_engine_gives_what_onnx_runtime_gives(nvidia, prepared, package, settings, pictures) -> None:
    engine = open_backend(package, settings)
    cpu = open_backend(package, settings.model_copy(update={"backend": "cpu"}))
    try:
        assert "tensorrt 10.3.0" in engine.name
        assert "CUDA graphs" in engine.name
        assert all(same(engine.infer(picture), cpu.infer(picture)) for picture in pictures)
    finally:
        engine.close()


def test_two_pictures_in_flight_do_not_mix(nvidia, prepared, package, settings, pictures) -> None:
    engine = open_engine(package, "fp32", settings)
    one_by_one = [engine.infer(picture) for picture in pictures]
    assert all(map(same, engine.infer_each(iter(pictures)), one_by_one))
    assert not same(one_by_one[0], one_by_one[1])
    engine.close()


def test_a_listener_that_stops_early_leaves_no_picture_behind(nvidia, prepared, package, settings, pictures) -> None:
    engine = open_engine(package, "fp32", settings)
    results = engine.infer_each(iter(pictures))
    next(results)
    results.close()
    assert all(not slot.busy for slot in engine._runner._slots)
    engine.close()


def test_a_third_picture_in_flight_is_refused_and_not_written_over_the_first(
    nvidia, prepared, package, settings, pictures
) -> None:
    engine = open_engine(package, "fp32", settings)
    expected = engine.infer(pictures[0])
    finish = [engine._in_thread(lambda n=n: engine._runner.start(pictures[n])) for n in range(2)]
    with pytest.raises(DeviceFailed, match="2 pictures are under way"):
        engine._in_thread(lambda: engine._runner.start(pictures[2]))
    outputs = [engine._in_thread(each) for each in finish]
    assert np.array_equal(outputs[0]["centers"][0], expected.centers)
    engine.close()


def test_a_picture_allocates_nothing_and_is_one_launch(nvidia, prepared, package, settings, pictures) -> None:
    engine = open_engine(package, "fp32", settings)
    engine.warm_up()
    before, launches = nvidia.allocations, nvidia.launches
    for picture in pictures:
        engine.infer(picture)
    assert nvidia.allocations == before
    assert nvidia.launches == launches + len(pictures)
    engine.close()


def test_what_was_given_stays_when_the_next_picture_comes(nvidia, prepared, package, settings, pictures) -> None:
    engine = open_engine(package, "fp32", settings)
    first = engine.infer(pictures[0])
    kept = first.centers.copy()
    for picture in pictures[1:]:
        engine.infer(picture)
    engine.close()
    assert np.array_equal(first.centers, kept)


def test_one_thread_uses_the_context_whoever_asks(nvidia, prepared, package, settings, pictures) -> None:
    engine = open_engine(package, "fp32", settings)
    threads = [threading.Thread(target=engine.infer, args=(picture,)) for picture in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(nvidia.threads) == 1
    assert threading.get_ident() not in nvidia.threads
    engine.close()


def test_an_engine_whose_work_cannot_be_captured_runs_without_a_graph(
    nvidia, prepared, package, settings, pictures
) -> None:
    nvidia.refuses_capture = True
    engine = open_engine(package, "fp32", settings)
    assert "no CUDA graphs" in engine.name
    assert engine.infer(pictures[0]).centers[:, 2].any()
    assert not nvidia.launches
    engine.close()


def test_without_an_engine_auto_takes_the_cpu_and_says_that_one_can_be_built(nvidia, package, settings) -> None:
    backend = open_backend(package, settings.model_copy(update={"backend": "auto"}))
    assert "ONNX Runtime" in backend.name
    assert any("no engine" in reason for reason in backend.passed_over)
    assert backend.can_be_bettered
    with pytest.raises(EngineMissing, match="no engine"):
        open_backend(package, settings)


def test_a_cut_engine_is_named_removed_and_built_again(nvidia, prepared, package, settings) -> None:
    plan = only_engine(settings) / PLAN_FILE
    plan.write_bytes(plan.read_bytes()[:-10])
    with pytest.raises(EngineInvalid, match="cut short"):
        open_backend(package, settings)
    prepare(package, settings, silent)
    open_backend(package, settings).close()


def with_plan(folder: Path, plan: bytes) -> None:
    """An engine whose sidecar vouches for other bytes: what no digest finds, and TensorRT must."""
    sidecar = Sidecar.model_validate_json((folder / SIDECAR_FILE).read_text())
    digest = f"sha256:{hashlib.sha256(plan).hexdigest()}"
    changed = sidecar.model_copy(update={"plan_sha256": digest, "plan_bytes": len(plan)})
    (folder / PLAN_FILE).write_bytes(plan)
    (folder / SIDECAR_FILE).write_text(changed.model_dump_json())


@pytest.mark.parametrize("plan", [b"", b"nonsense", b"\0" * 1000], ids=["empty", "nonsense", "zeros"])
def test_what_tensorrt_does_not_take_is_told_in_its_words_and_removed(
    nvidia, prepared, package, settings, plan
) -> None:
    folder = only_engine(settings)
    with_plan(folder, plan)
    with pytest.raises(EngineInvalid, match="magic tag does not match"):
        open_backend(package, settings)
    assert not folder.exists()


def test_an_engine_of_another_package_under_this_name_is_refused(nvidia, package, settings, tmp_path) -> None:
    other = ModelPackage.open(build_green_package(tmp_path / "other", **SIZE, top_k=16))
    prepare(other, settings, silent)
    stranger = (only_engine(settings) / PLAN_FILE).read_bytes()
    prepare(package, settings, silent)
    for folder in (path.parent for path in settings.engine.folder.glob(f"*/{SIDECAR_FILE}")):
        with_plan(folder, stranger)
    with pytest.raises(EngineInvalid, match=r"\(1, 16, 4\).*its package describes.*\(1, 32, 4\)"):
        open_backend(package, settings)


def test_after_an_upgrade_of_tensorrt_the_engine_is_missing_and_the_reason_told(
    nvidia, prepared, package, settings, monkeypatch
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_VERSION", "10.7.0")
    with pytest.raises(EngineMissing, match=r"tensorrt 10\.3\.0 → tensorrt 10\.7\.0"):
        open_backend(package, settings)


def test_too_little_memory_on_the_gpu_is_told_with_what_is_free(nvidia, prepared, package, settings) -> None:
    nvidia.memory_bytes = 1000
    with pytest.raises(DeviceFailed, match=r"OutOfMemory.*1,000 bytes are free"):
        open_backend(package, settings)
    nvidia.memory_bytes = 14_000
    with pytest.raises(DeviceFailed, match="cudaErrorMemoryAllocation"):
        open_backend(package, settings)


def test_without_a_gpu_the_backend_is_missing_and_auto_says_why(nvidia, package, settings, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "0")
    with pytest.raises(BackendMissing, match="cudaErrorNoDevice"):
        open_backend(package, settings)
    backend = open_backend(package, settings.model_copy(update={"backend": "auto"}))
    assert "cudaErrorNoDevice" in backend.passed_over[0]
    assert not backend.can_be_bettered


def test_a_closed_backend_says_so(nvidia, prepared, package, settings, pictures) -> None:
    engine = open_engine(package, "fp32", settings)
    engine.close()
    engine.close()
    with pytest.raises(InferenceFailed, match="closed"):
        engine.infer(pictures[0])
