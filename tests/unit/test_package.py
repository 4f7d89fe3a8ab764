import hashlib
import json

import pytest

from edge.contract.manifest import MANIFEST_FILE
from edge.errors import PackageInvalid
from edge.package import MAX_MANIFEST_BYTES, ModelPackage
from tests.sim.green_model import MODEL_FILE, build_green_package


@pytest.fixture
def package(tmp_path):
    return build_green_package(tmp_path / "green", height_px=64, width_px=64)


def edit_manifest(package, change):
    path = package / MANIFEST_FILE
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def test_a_package_is_named_by_its_manifest(package):
    opened = ModelPackage.open(package)

    assert opened.manifest.name == "green"
    assert opened.digest == "sha256:" + hashlib.sha256((package / MANIFEST_FILE).read_bytes()).hexdigest()
    assert opened.model("fp32") == package / MODEL_FILE


def test_a_precision_that_is_not_there_is_named_with_those_that_are(package):
    with pytest.raises(PackageInvalid, match=r"no int8\.cpu model, it has fp32"):
        ModelPackage.open(package).model("int8.cpu")


def test_a_missing_file_is_named(package):
    (package / MODEL_FILE).unlink()
    with pytest.raises(PackageInvalid, match=MODEL_FILE):
        ModelPackage.open(package)


def test_one_altered_byte_is_found(package):
    content = bytearray((package / MODEL_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (package / MODEL_FILE).write_bytes(content)
    with pytest.raises(PackageInvalid, match="was altered"):
        ModelPackage.open(package)


def test_a_truncated_file_is_found_by_its_length(package):
    content = (package / MODEL_FILE).read_bytes()
    (package / MODEL_FILE).write_bytes(content[:-1])
    with pytest.raises(PackageInvalid, match=f"{len(content) - 1} bytes, not {len(content)}"):
        ModelPackage.open(package)


def test_no_folder_is_no_package(tmp_path):
    with pytest.raises(PackageInvalid, match=r"inference\.package"):
        ModelPackage.open(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"not json", b"\xff\xfe", b'{"name": "a"}'])
def test_foreign_json_is_no_manifest(package, content):
    (package / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(PackageInvalid, match="not a manifest"):
        ModelPackage.open(package)


def test_an_endless_manifest_is_not_read(package):
    (package / MANIFEST_FILE).write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(PackageInvalid, match=f"more than {MAX_MANIFEST_BYTES} bytes"):
        ModelPackage.open(package)


def test_a_trait_that_nobody_knows_is_refused(package):
    edit_manifest(package, lambda tree: tree["traits"].append("aura"))
    with pytest.raises(PackageInvalid, match="aura"):
        ModelPackage.open(package)


def test_a_count_that_nobody_knows_is_refused(package):
    edit_manifest(package, lambda tree: tree["things"][0].update(count_trait="flower_count"))
    with pytest.raises(PackageInvalid, match="flower_count"):
        ModelPackage.open(package)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/hostname", "a/../../outside", "a//b", ".hidden", "", "a\\b", "a\nb"]
)
def test_a_file_name_that_leads_out_of_the_package_is_refused_unread(package, name):
    (package.parent / "outside").write_bytes(b"x")
    entry = {"sha256": "sha256:" + hashlib.sha256(b"x").hexdigest(), "length_bytes": 1}
    edit_manifest(package, lambda tree: tree["files"].update({name: entry}))
    with pytest.raises(PackageInvalid, match="may lie outside"):
        ModelPackage.open(package)


def test_a_link_out_of_the_package_is_refused(package):
    (package.parent / "outside").write_bytes(b"x")
    (package / "inside").symlink_to(package.parent / "outside")
    entry = {"sha256": "sha256:" + hashlib.sha256(b"x").hexdigest(), "length_bytes": 1}
    edit_manifest(package, lambda tree: tree["files"].update({"inside": entry}))
    with pytest.raises(PackageInvalid, match="link out of the package"):
        ModelPackage.open(package)


def test_files_in_folders_of_the_package_are_verified_too(package):
    (package / "golden").mkdir()
    (package / "golden" / "0.json").write_bytes(b"x")
    entry = {"sha256": "sha256:" + hashlib.sha256(b"y").hexdigest(), "length_bytes": 1}
    edit_manifest(package, lambda tree: tree["files"].update({"golden/0.json": entry}))
    with pytest.raises(PackageInvalid, match="altered"):
        ModelPackage.open(package)
