"""A package as a zip: the same bytes everywhere, and nothing half-installed whatever somebody put into one."""

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.archive import MAX_FILES, pack, unpack
from edge.contract.manifest import MANIFEST_FILE
from edge.errors import PackageInvalid
from edge.package import ModelPackage
from tests.sim.green_model import MODEL_FILE, build_green_package


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> ModelPackage:
    return ModelPackage.open(build_green_package(tmp_path_factory.mktemp("p") / "green", height_px=64, width_px=64))


@pytest.fixture(scope="module")
def good(package, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("z") / "green.zip"
    pack(package, out)
    return out


def rewrite(good: Path, out: Path, change: Callable[[dict[str, bytes]], None], **options) -> Path:
    with zipfile.ZipFile(good) as held:
        files = {name: held.read(name) for name in held.namelist()}
    change(files)
    with zipfile.ZipFile(out, "w", options.get("compression", zipfile.ZIP_STORED)) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out


def edited(change: Callable[[dict], None]) -> Callable[[dict[str, bytes]], None]:
    def edit(files: dict[str, bytes]) -> None:
        tree = json.loads(files[MANIFEST_FILE])
        change(tree)
        files[MANIFEST_FILE] = json.dumps(tree).encode()

    return edit


def test_a_package_comes_out_as_it_went_in(package, good: Path, tmp_path: Path) -> None:
    assert unpack(good, tmp_path / "out").digest == package.digest


def test_the_same_package_gives_the_same_bytes_wherever_and_whenever_it_is_packed(
    package, good: Path, tmp_path
) -> None:
    again = unpack(good, tmp_path / "elsewhere")
    for path in again.path.rglob("*"):
        os.utime(path, (1, 1))
    pack(again, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == good.read_bytes()


TROUBLES: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "altered": (lambda files: files.update({MODEL_FILE: files[MODEL_FILE][:-1] + b"\0"}), "was altered"),
    "cut": (lambda files: files.update({MODEL_FILE: files[MODEL_FILE][:-1]}), "bytes, not"),
    "longer": (lambda files: files.update({MODEL_FILE: files[MODEL_FILE] + b"\0"}), "more than"),
    "no manifest": (lambda files: files.pop(MANIFEST_FILE), "no manifest.json"),
    "a file too many": (lambda files: files.update({"extra.sh": b"#!"}), "extra.sh"),
    "a file too few": (lambda files: files.pop(MODEL_FILE), MODEL_FILE),
    "out of the folder": (lambda files: files.update({"../../etc/cron.d/x": b""}), "differ over"),
    "no JSON": (lambda files: files.update({MANIFEST_FILE: b"{"}), "cannot be used"),
    "a huge manifest": (lambda files: files.update({MANIFEST_FILE: b" " * 2_000_000}), "more than 1000000 bytes"),
    "many files": (lambda files: files.update({f"{n}.bin": b"" for n in range(MAX_FILES)}), "too many"),
    "of the future": (edited(lambda tree: tree.update(schema=99)), "upgrade canopy-edge"),
    "says it is huge": (
        edited(lambda tree: [entry.update(length_bytes=2**28) for entry in [*tree["files"].values()] * 1]),
        "bytes, not",
    ),
}


@pytest.mark.parametrize(("change", "named"), TROUBLES.values(), ids=TROUBLES)
def test_whatever_is_wrong_is_named_and_nothing_is_installed(good: Path, tmp_path: Path, change, named: str) -> None:
    broken = rewrite(good, tmp_path / "broken.zip", change)
    with pytest.raises(PackageInvalid, match=named):
        unpack(broken, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.zip"]


def test_a_listed_name_that_leads_outside_is_refused(good: Path, tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        edited(lambda tree: tree["files"].update({"../evil": tree["files"][MODEL_FILE]}))(files)
        files["../evil"] = files[MODEL_FILE]

    with pytest.raises(PackageInvalid, match="may lie outside"):
        unpack(rewrite(good, tmp_path / "broken.zip", change), tmp_path / "in" / "out")
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "in" / "evil").exists()


def test_a_bomb_is_not_inflated(good: Path, tmp_path: Path) -> None:
    bomb = rewrite(good, tmp_path / "bomb.zip", lambda _: None, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(PackageInvalid, match="compressed"):
        unpack(bomb, tmp_path / "out")


def test_a_name_that_comes_twice_is_refused(good: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice.zip"
    twice.write_bytes(good.read_bytes())
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(MODEL_FILE, b"other")
    with pytest.raises(PackageInvalid, match="some twice"):
        unpack(twice, tmp_path / "out")


def test_a_link_is_written_as_a_file_and_leads_nowhere(good: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(good) as held, zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        for name in held.namelist():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, held.read(name))
    opened = unpack(tmp_path / "link.zip", tmp_path / "out")
    assert not any(path.is_symlink() for path in opened.path.rglob("*"))


def test_what_was_there_stays_when_the_new_one_is_refused(package, good: Path, tmp_path: Path) -> None:
    unpack(good, tmp_path / "out")
    broken = rewrite(good, tmp_path / "broken.zip", TROUBLES["altered"][0])
    with pytest.raises(PackageInvalid):
        unpack(broken, tmp_path / "out")
    assert ModelPackage.open(tmp_path / "out").digest == package.digest


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000_000), value=st.integers(0, 255), cut=st.booleans())
def test_any_damage_is_refused_or_harmless(package, good: Path, tmp_path: Path, place: int, value: int, cut) -> None:
    content = bytearray(good.read_bytes())
    place %= len(content)
    if cut:
        del content[place:]
    else:
        content[place] = value
    (tmp_path / "damaged.zip").write_bytes(content)
    try:
        opened = unpack(tmp_path / "damaged.zip", tmp_path / "out")
    except PackageInvalid:
        return
    assert opened.digest == package.digest
