"""A package is published once, whole, and only if it is what it says; the device takes it as it was published."""

import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_signing import signing

from edge.errors import UpdateRefused
from edge.update.client import UpdateClient
from edge.update.fetch import Source
from edge.update.http import HttpFetcher
from fleet.errors import PackageRefused, RepositoryError
from fleet.repository import roles
from fleet.repository.package import check_builder, read_package
from fleet.repository.publish import offered, publish, withdraw
from tests.sim.fleet_repository import HARDWARE, FleetRepository, now
from tests.sim.packed import GRAPH, packed
from tests.sim.static_host import StaticHost

PATH = "onnx-cpu/rosette-1.0.0.zip"


@pytest.fixture
def repository(tmp_path: Path) -> FleetRepository:
    return FleetRepository(tmp_path).ready()


def test_a_device_takes_over_http_what_was_published(repository: FleetRepository, tmp_path: Path) -> None:
    published = repository.publish()
    host = StaticHost()
    for path in repository.folder.public.rglob("*.*"):
        host.files[f"/{path.relative_to(repository.folder.public)}"] = path.read_bytes()
    with host.serving():
        source = Source.at(host.url, HttpFetcher())
        device = UpdateClient(tmp_path / "trust", source, bootstrap=repository.bootstrap, reserve_bytes=0)
        target = device.target(published.target)
        taken = device.download(target, tmp_path / "downloads")
    package = tmp_path / "rosette-1.0.0.zip"
    assert taken.read_bytes() == package.read_bytes()
    assert target.release.model == read_package(package).model
    assert target.release.needs_bytes == 2 * len(GRAPH)


def test_what_is_offered_can_be_listed(repository: FleetRepository) -> None:
    assert offered(repository.folder) == {}
    repository.publish()
    repository.publish("1.1.0")
    found = offered(repository.folder)
    assert sorted(found) == [PATH, "onnx-cpu/rosette-1.1.0.zip"]
    assert found[PATH].model == read_package(repository.path / "rosette-1.0.0.zip").model


def test_publishing_again_changes_nothing(repository: FleetRepository) -> None:
    repository.publish()
    before = repository.served()
    assert repository.publish().written == ()
    assert repository.served() == before


def test_a_version_never_changes(repository: FleetRepository) -> None:
    repository.publish()
    before = repository.served()
    with pytest.raises(PackageRefused, match="a version never changes"):
        repository.publish(graph=b"another graph")
    assert repository.served() == before


def test_a_package_that_changes_after_it_was_verified_is_refused(repository: FleetRepository, tmp_path: Path) -> None:
    read, before = read_package(packed(tmp_path / "rosette.zip")), repository.served()
    packed(tmp_path / "rosette.zip", graph=b"another graph")
    with pytest.raises(PackageRefused, match="changed"):
        publish(repository.folder, read, HARDWARE, repository.ring(), now())
    assert repository.served() == before


def test_a_hardware_without_a_role_gets_no_package(repository: FleetRepository, tmp_path: Path) -> None:
    package = read_package(packed(tmp_path / "rosette.zip"))
    for hardware in ("orin-trt10", "targets", "root"):
        with pytest.raises(RepositoryError, match="add-key"):
            publish(repository.folder, package, hardware, repository.ring(), now())


def test_a_withdrawn_package_is_offered_to_nobody(repository: FleetRepository) -> None:
    repository.publish()
    repository.device().target(PATH)
    withdraw(repository.folder, PATH, repository.ring(), now())
    with pytest.raises(UpdateRefused, match="no such file"):
        repository.device().target(PATH)
    with pytest.raises(RepositoryError, match="not published"):
        withdraw(repository.folder, PATH, repository.ring(), now())


def test_a_pending_change_of_the_same_hardware_comes_first(repository: FleetRepository) -> None:
    change = repository.change()
    roles.rotate(change, HARDWARE, None, repository.public("new"), revoke=True)
    change.keep()
    before = repository.served()
    with pytest.raises(RepositoryError, match="waits for signatures"):
        repository.publish()
    assert repository.served() == before


BROKEN = {
    "a file altered": {"held": {"model.fp32.onnx": GRAPH[:-1] + b"!"}},
    "a file cut": {"held": {"model.fp32.onnx": GRAPH[:-1]}},
    "a file longer": {"held": {"model.fp32.onnx": GRAPH + b"!"}},
    "a file that nobody vouches for": {"held": {"run.sh": b"#!/bin/sh"}},
    "a file that is missing": {"said": {"files": {}, "models": {}}},
    "no version": {"said": {"version": "new"}},
    "a name that leads outside": {"said": {"name": "../../rosette"}},
    "compressed": {"compression": zipfile.ZIP_DEFLATED},
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_package_is_refused_and_nothing_is_published(
    repository: FleetRepository, tmp_path: Path, how: str
) -> None:
    before = repository.served()
    with pytest.raises(PackageRefused):
        repository.publish(**BROKEN[how])
    assert repository.served() == before


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rosette.zip").write_bytes(b"PK rubbish")
    with pytest.raises(PackageRefused):
        read_package(tmp_path / "rosette.zip")
    with pytest.raises(PackageRefused):
        read_package(tmp_path / "missing.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(PackageRefused, match="no package"):
        read_package(tmp_path / "other.zip")


@given(place=st.integers(0, 10**6), value=st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_refused_or_harmless(tmp_path: Path, place: int, value: int) -> None:
    good = packed(tmp_path / "good.zip")
    content = bytearray(good.read_bytes())
    content[place % len(content)] = value
    (tmp_path / "bad.zip").write_bytes(content)
    try:
        read = read_package(tmp_path / "bad.zip")
    except PackageRefused:
        return
    assert read.model == read_package(good).model


def builder(folder: Path, name: str) -> Path:
    """A builder's key; returns the private half."""
    private = ec.generate_private_key(ec.SECP256R1())
    (folder / name).write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(public)
    return folder / name


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A package with its builder's signature beside it."""
    package = packed(tmp_path / "rosette.zip")
    key = builder(tmp_path, "builder.pem")
    signing.Config().use_elliptic_key_signer(private_key=key).sign(package, tmp_path / "rosette.zip.sig")
    return package


def test_the_builders_package_passes(signed: Path, tmp_path: Path) -> None:
    check_builder(signed, tmp_path / "builder.pem.pub")


def test_an_unsigned_package_is_refused(signed: Path, tmp_path: Path) -> None:
    (tmp_path / "rosette.zip.sig").unlink()
    with pytest.raises(PackageRefused, match="not signed by its builder"):
        check_builder(signed, tmp_path / "builder.pem.pub")


def test_a_foreign_package_is_refused(signed: Path, tmp_path: Path) -> None:
    builder(tmp_path, "stranger.pem")
    with pytest.raises(PackageRefused, match="stranger"):
        check_builder(signed, tmp_path / "stranger.pem.pub")


def test_a_package_altered_after_it_was_signed_is_refused(signed: Path, tmp_path: Path) -> None:
    packed(signed, "1.0.1")
    with pytest.raises(PackageRefused):
        check_builder(signed, tmp_path / "builder.pem.pub")


@pytest.mark.parametrize("content", [b"", b"{}", b"<html>", b'{"dsseEnvelope": {}}', b"x" * 2_000_000])
def test_what_is_no_signature_is_refused(signed: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rosette.zip.sig").write_bytes(content)
    with pytest.raises(PackageRefused):
        check_builder(signed, tmp_path / "builder.pem.pub")
