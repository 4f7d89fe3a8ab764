"""A greenhouse without internet: the same repository on a stick, the same checks, and sticks prepared by others."""

import os
import shutil
from pathlib import Path

import pytest

from edge.errors import UpdateExpired, UpdateRefused, UpdateUnreachable
from edge.update.client import UpdateClient
from edge.update.fetch import Source
from tests.sim.update_repository import HARDWARE, UpdateRepository, release, utc

CONTENT = b"package" * 20_000


@pytest.fixture
def repository(tmp_path: Path) -> UpdateRepository:
    made = UpdateRepository({}, utc(0))
    made.offer(CONTENT)
    (tmp_path / "usb").mkdir()
    return made


def copied(repository: UpdateRepository, tmp_path: Path) -> Path:
    """The repository on a stick."""
    for name, content in repository.files.items():
        path = tmp_path / "usb" / name[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "usb"


def client(repository: UpdateRepository, tmp_path: Path, day: int = 0) -> UpdateClient:
    source = Source.in_folder(tmp_path / "usb")
    return UpdateClient(
        tmp_path / "trust", source, bootstrap=repository.bootstrap, reserve_bytes=0, clock=lambda: utc(day)
    )


def take(repository: UpdateRepository, tmp_path: Path, path: str = "onnx-cpu/rosette-1.0.0.zip", day: int = 0) -> Path:
    device = client(repository, tmp_path, day)
    return device.download(device.target(path), tmp_path / "downloads")


def test_a_package_comes_from_a_stick(repository: UpdateRepository, tmp_path: Path) -> None:
    copied(repository, tmp_path)
    assert take(repository, tmp_path).read_bytes() == CONTENT


def test_a_copy_that_was_cut_short_is_gone_on_with(repository: UpdateRepository, tmp_path: Path) -> None:
    stick = copied(repository, tmp_path)
    (content,) = (stick / "targets" / HARDWARE).iterdir()
    content.write_bytes(CONTENT[:50_000])
    with pytest.raises(UpdateUnreachable):
        take(repository, tmp_path)
    content.write_bytes(CONTENT)
    assert take(repository, tmp_path).read_bytes() == CONTENT


def test_an_old_stick_is_refused(repository: UpdateRepository, tmp_path: Path) -> None:
    copied(repository, tmp_path)
    with pytest.raises(UpdateExpired):
        take(repository, tmp_path, day=10)


def test_a_stick_older_than_what_the_device_knows_is_refused(repository: UpdateRepository, tmp_path: Path) -> None:
    stick = copied(repository, tmp_path)
    old = (stick / "metadata" / "timestamp.json").read_bytes()
    repository.offer(b"newer", release("1.1.0"))
    copied(repository, tmp_path)
    take(repository, tmp_path, "onnx-cpu/rosette-1.1.0.zip")
    (stick / "metadata" / "timestamp.json").write_bytes(old)
    with pytest.raises(UpdateRefused):
        take(repository, tmp_path)


def test_a_tampered_package_on_a_stick_is_refused(repository: UpdateRepository, tmp_path: Path) -> None:
    (content,) = (copied(repository, tmp_path) / "targets" / HARDWARE).iterdir()
    content.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(UpdateRefused):
        take(repository, tmp_path)
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_link_out_of_the_stick_is_not_followed(repository: UpdateRepository, tmp_path: Path) -> None:
    place = copied(repository, tmp_path) / "metadata" / "timestamp.json"
    (tmp_path / "elsewhere.json").write_bytes(place.read_bytes())
    place.unlink()
    place.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UpdateUnreachable, match="outside"):
        take(repository, tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "ring", "nothing"])
def test_what_is_no_file_does_not_hold_the_device(repository: UpdateRepository, tmp_path: Path, kind: str) -> None:
    place = copied(repository, tmp_path) / "metadata" / "timestamp.json"
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "ring":
        place.symlink_to(place)
    with pytest.raises(UpdateUnreachable):
        take(repository, tmp_path)


def test_a_stick_that_was_pulled_is_unreachable(repository: UpdateRepository, tmp_path: Path) -> None:
    shutil.rmtree(copied(repository, tmp_path))
    with pytest.raises(UpdateUnreachable):
        take(repository, tmp_path)


def test_a_stick_of_another_fleet_is_refused(repository: UpdateRepository, tmp_path: Path) -> None:
    stick = UpdateRepository({}, utc(0))
    stick.offer(CONTENT)
    copied(stick, tmp_path)
    with pytest.raises(UpdateRefused):
        take(repository, tmp_path)
