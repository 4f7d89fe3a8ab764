"""The cache of engines: what decides about one, what is found, refused and let go."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.engine.cache import PLAN_FILE, SIDECAR_FILE, EngineCache, EngineKey
from edge.engine.machine import Machine
from edge.engine.progress import Progress
from edge.errors import BuildFailed, EngineInvalid, EngineMissing

MACHINE = Machine(sku="Orin Nano, 8 multiprocessors", sm="8.7", l4t="36.4.3", tensorrt="tensorrt 10.3.0", cuda="12.6")
KEY = EngineKey(onnx="sha256:" + "a" * 64, machine=MACHINE, flags=("STRONGLY_TYPED", "WORKSPACE=1"))


def nobody_waits() -> None:
    raise AssertionError("no other build is running")


def put(cache: EngineCache, key: EngineKey, plan: bytes = b"plan", build_s: float = 5.0):
    with cache.building(nobody_waits) as partial:
        (partial / PLAN_FILE).write_bytes(plan)
        return cache.put(partial, key, "model.onnx", build_s, 1000)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines", keep=2)


def test_what_was_put_is_found_and_private(cache: EngineCache) -> None:
    made = put(cache, KEY)
    found = cache.find(KEY)
    assert found == made
    assert found.plan() == b"plan"
    assert cache.folder.stat().st_mode & 0o077 == 0
    assert cache.last_build_s(MACHINE) == 5.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", "AGX Orin, 16 multiprocessors"),
        ("sm", "11.0"),
        ("l4t", "38.2.0"),
        ("tensorrt", "tensorrt 10.7.0"),
        ("cuda", "13.0"),
    ],
)
def test_every_change_of_the_machine_makes_an_engine_missing_and_is_named(cache: EngineCache, field, value) -> None:
    put(cache, KEY)
    changed = KEY.model_copy(update={"machine": MACHINE.model_copy(update={field: value})})
    with pytest.raises(EngineMissing) as missing:
        cache.find(changed)
    assert f" → {value}" in str(missing.value)
    assert cache.last_build_s(changed.machine) is None
    assert cache.timing_file(changed.machine) != cache.timing_file(MACHINE)


def test_another_graph_or_other_flags_are_another_engine(cache: EngineCache) -> None:
    put(cache, KEY)
    with pytest.raises(EngineMissing, match="the builder's settings"):
        cache.find(KEY.model_copy(update={"flags": ("STRONGLY_TYPED", "WORKSPACE=2")}))
    with pytest.raises(EngineMissing, match=r"built yet$"):
        cache.find(KEY.model_copy(update={"onnx": "sha256:" + "b" * 64}))


@pytest.mark.parametrize("content", [b"pla", b"plam", b"", b"plan and more"])
def test_an_altered_plan_is_refused(cache: EngineCache, content: bytes) -> None:
    (put(cache, KEY).folder / PLAN_FILE).write_bytes(content)
    with pytest.raises(EngineInvalid, match="cut short or altered"):
        cache.find(KEY).plan()


def test_a_plan_that_is_gone_is_refused(cache: EngineCache) -> None:
    (put(cache, KEY).folder / PLAN_FILE).unlink()
    with pytest.raises(EngineInvalid, match="cannot read the engine"):
        cache.find(KEY).plan()


@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=200))
def test_whatever_stands_in_a_sidecar_is_refused_as_such(tmp_path_factory: pytest.TempPathFactory, content) -> None:
    cache = EngineCache(tmp_path_factory.mktemp("cache") / "engines", keep=2)
    (put(cache, KEY).folder / SIDECAR_FILE).write_bytes(content)
    with pytest.raises(EngineInvalid, match="no usable sidecar"):
        cache.find(KEY)
    assert cache.last_build_s(MACHINE) is None


def test_an_engine_from_elsewhere_under_our_name_is_refused(cache: EngineCache) -> None:
    stranger = KEY.model_copy(update={"machine": MACHINE.model_copy(update={"sku": "AGX Orin"})})
    put(cache, stranger).folder.rename(cache.folder / KEY.digest)
    with pytest.raises(EngineInvalid, match="put there from elsewhere"):
        cache.find(KEY)


def test_a_folder_that_others_may_write_to_is_refused(cache: EngineCache) -> None:
    engine = put(cache, KEY)
    engine.folder.chmod(0o777)
    with pytest.raises(EngineInvalid, match="chmod -R go-w"):
        cache.find(KEY)


def test_the_oldest_engines_are_let_go_and_broken_ones_keep_no_place(cache: EngineCache) -> None:
    keys = [KEY.model_copy(update={"onnx": f"sha256:{number:064}"}) for number in range(4)]
    for key in keys:
        put(cache, key)
    with pytest.raises(EngineMissing):
        cache.find(keys[1])
    assert [cache.find(key).plan() for key in keys[2:]] == [b"plan"] * 2


def test_a_build_that_ends_badly_leaves_nothing(cache: EngineCache) -> None:
    def half_a_build() -> None:
        with cache.building(nobody_waits) as partial:
            (partial / PLAN_FILE).write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_a_build()
    assert {path.name for path in cache.folder.iterdir()} == {"lock"}
    put(cache, KEY)


def test_left_overs_of_a_power_cut_are_swept(cache: EngineCache) -> None:
    left = cache.folder / ".partial-99"
    left.mkdir(parents=True)
    (left / PLAN_FILE).write_bytes(b"half")
    put(cache, KEY)
    assert not left.exists()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = EngineCache(tmp_path / "file" / "engines", keep=1)
    with pytest.raises(BuildFailed, match=r"set inference\.engine\.folder"), cache.building(nobody_waits):
        pass


def test_a_full_disk_is_told(cache: EngineCache, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BuildFailed, match="No space left"):
        put(cache, KEY)
    assert not (cache.folder / KEY.digest).exists()


def test_phases_within_phases_add_up() -> None:
    progress = Progress()
    progress.start("build", None, 2)
    progress.start("tactics", "build", 4)
    progress.step("tactics")
    assert progress.share == pytest.approx(1 / 8)
    assert progress.doing == "tactics"
    progress.finish("tactics")
    assert progress.doing == "build"
    progress.step("build")
    assert progress.share == pytest.approx(1 / 2)
    progress.finish("build")
    assert progress.share == 1.0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["start", "step", "finish"]), st.sampled_from("abc"), st.sampled_from([None, *"abcd"])
        ),
        max_size=40,
    )
)
def test_whatever_phases_a_library_tells_of_the_share_never_goes_back(told) -> None:
    progress, before = Progress(), 0.0
    for what, name, parent in told:
        if what == "start":
            progress.start(name, parent, len(name) * 3)
        else:
            getattr(progress, what)(name)
        assert before <= progress.share <= 1.0
        before = progress.share
