"""Two of three sign root; nobody sees a change before, nor half of one; keys come and go without touching a device."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata

from edge.errors import UpdateRefused
from fleet.errors import KeyUnusable, RepositoryError, SignaturesMissing
from fleet.repository import issue as issuing
from fleet.repository import roles
from fleet.repository.folder import Policy, encode, read_metadata
from fleet.repository.issue import put_in_force, refresh
from fleet.repository.publish import withdraw
from fleet.repository.status import read_status
from tests.sim.fleet_repository import HARDWARE, FleetRepository, now

PATH = "onnx-cpu/rosette-1.0.0.zip"


@pytest.fixture
def repository(tmp_path: Path) -> FleetRepository:
    return FleetRepository(tmp_path).ready()


def rotated(
    repository: FleetRepository, role: str, old: str | None, new: str | None, *, revoke: bool = False
) -> roles.Rotation:
    change = repository.change()
    coming = None if new is None else repository.key(new)
    rotation = roles.rotate(change, role, old, coming, revoke=revoke)
    roles.note_keys(repository.folder, change, role, coming, revoke=revoke)
    change.keep()
    return rotation


def test_one_of_three_does_not_make_a_root(tmp_path: Path) -> None:
    repository = FleetRepository(tmp_path)
    repository.begin()
    assert repository.sign("alice", "dora") == []
    assert not repository.folder.public.exists()
    standing = repository.change().standing("root")
    assert standing.missing == 1
    assert [name.split()[0] for name in standing.signed] == ["alice"]
    with pytest.raises(SignaturesMissing, match="root"):
        put_in_force(repository.folder, repository.change(), repository.ring(), now())
    assert repository.sign("carol") == ["1.targets.json", "1.snapshot.json", "1.root.json", "timestamp.json"]
    repository.device().refresh()


def test_signing_twice_counts_once(tmp_path: Path) -> None:
    repository = FleetRepository(tmp_path)
    repository.begin()
    repository.sign("alice")
    repository.sign("alice")
    assert repository.change().standing("root").missing == 1


def test_a_stranger_cannot_sign(tmp_path: Path) -> None:
    repository = FleetRepository(tmp_path)
    repository.begin()
    repository.sign("mallory", "dora")
    assert repository.change().standing("root").missing == 2


def test_copies_are_signed_elsewhere_and_brought_back(tmp_path: Path) -> None:
    repository = FleetRepository(tmp_path)
    repository.begin()
    copies = {}
    for name in ("alice", "carol"):
        copies[name] = tmp_path / f"{name}.root.json"
        metadata = read_metadata(repository.folder.pending / "1.root.json")
        metadata.sign(repository.key(name).signer, append=True)
        copies[name].write_bytes(encode(metadata))
    repository.sign("dora")
    for copy in copies.values():
        change = repository.change()
        assert change.merge(read_metadata(copy)) == ("root", 1)
        change.keep()
    assert "1.root.json" in repository.sign()


def test_a_copy_of_something_else_is_not_merged(repository: FleetRepository, tmp_path: Path) -> None:
    change = repository.change()
    change.edit_root()
    change.keep()
    copy = deepened(repository.folder.pending / "2.root.json")
    with pytest.raises(RepositoryError, match="of nothing that waits"):
        change.merge(copy)


@pytest.mark.parametrize("name", ["alice.2.root.json", "3.root.json", "2.other.json", "2.timestamp.json"])
def test_a_copy_laid_among_what_waits_is_named(repository: FleetRepository, name: str) -> None:
    repository.renew("root")
    (repository.folder.pending / name).write_bytes((repository.folder.pending / "2.root.json").read_bytes())
    with pytest.raises(RepositoryError, match="--merge") as raised:
        repository.change()
    assert name in str(raised.value)


def deepened(path: Path) -> Metadata:
    metadata = read_metadata(path)
    metadata.signed.expires += timedelta(days=3000)
    return metadata


def test_who_alters_a_change_takes_the_signatures_off_it(repository: FleetRepository) -> None:
    rotated(repository, "root", "carol", "dave")
    repository.sign("alice")
    assert repository.change().standing("root").missing == 1
    rotated(repository, "root", "bob", "erin")
    assert repository.change().standing("root").missing == 2


def test_a_root_needs_the_people_of_the_root_before_it_too(repository: FleetRepository) -> None:
    rotated(repository, "root", "carol", "dave")
    before = repository.served()
    assert repository.sign("alice", "dave") == []
    assert repository.change().standing("root").missing == 1
    assert repository.served() == before
    assert "2.root.json" in repository.sign("carol"), "who goes may sign once more"


def test_what_waits_is_not_seen_and_can_be_abandoned(repository: FleetRepository) -> None:
    before, kept = repository.served(), repository.folder.kept_keys()
    rotated(repository, "timestamp", None, "timestamp-2", revoke=True)
    repository.sign("alice")
    assert repository.served() == before
    roles.abandon(repository.folder)
    assert repository.served() == before
    assert not repository.change().roles
    assert {keyid for keyid, key in repository.folder.kept_keys().items() if key.revoked} == set()
    assert kept.keys() <= repository.folder.kept_keys().keys()


def test_a_dry_run_changes_nothing(repository: FleetRepository) -> None:
    files = {path: path.read_bytes() for path in repository.folder.path.rglob("*") if path.is_file()}
    rotation = roles.rotate(repository.change(), "targets", None, repository.public("dan"), revoke=False)
    assert rotation.leaves.startswith("dora ")
    assert rotation.comes.startswith("dan ")
    assert set(rotation.signs) == {"root", "targets"}
    assert "every device" in rotation.devices
    assert {path: path.read_bytes() for path in repository.folder.path.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    ("role", "old", "signers"),
    [
        ("root", "carol", ("alice", "bob")),
        ("targets", "dora", ("alice", "bob", "dora", "new")),
        ("snapshot", "snapshot", ("alice", "bob")),
        ("timestamp", "timestamp", ("alice", "bob")),
        (HARDWARE, "release", ("dora",)),
    ],
)
@pytest.mark.parametrize("revoke", [False, True])
def test_a_key_is_replaced_and_the_old_one_is_worth_nothing(
    repository: FleetRepository, role: str, old: str, signers: tuple[str, ...], revoke: bool
) -> None:
    repository.publish()
    device = repository.device()
    device.target(PATH)
    rotated(repository, role, old, "new", revoke=revoke)
    assert repository.sign(*signers), "the change is not complete"
    listed = repository.change().delegator_ahead(role).get_delegated_role(role).keyids
    assert repository.key(old).public.keyid not in listed
    assert repository.key("new").public.keyid in listed
    assert repository.key(old).public.keyid not in repository.folder.kept_keys()
    device.refresh()
    assert device.target(PATH).release.hardware == HARDWARE
    repository.device("fresh").target(PATH)
    repository.publish("1.1.0", ["new"] if role == HARDWARE else [])
    assert device_target(repository, "onnx-cpu/rosette-1.1.0.zip")


def device_target(repository: FleetRepository, path: str) -> bool:
    return repository.device().target(path).path == path


def test_a_stolen_online_key_signs_nothing_of_the_transition(repository: FleetRepository) -> None:
    rotated(repository, "timestamp", None, "timestamp-2", revoke=True)
    repository.sign("alice", "bob")
    signatures = repository.folder.timestamp().signatures
    assert list(signatures) == [repository.key("timestamp-2").public.keyid]
    forge_timestamp(repository)
    with pytest.raises(UpdateRefused):
        repository.device().refresh()


def forge_timestamp(repository: FleetRepository) -> None:
    """What the thief would do."""
    metadata = repository.folder.timestamp()
    metadata.signed.version += 1
    metadata.sign(repository.key("timestamp").signer)
    (repository.folder.metadata / "timestamp.json").write_bytes(encode(metadata))


def test_a_repository_brought_back_from_an_old_copy_is_believed_again_once_the_online_keys_are_new(
    repository: FleetRepository, tmp_path: Path
) -> None:
    repository.publish()
    shutil.copytree(repository.folder.path, tmp_path / "backup")
    for patch in range(3):
        repository.publish(f"1.1.{patch}")
    repository.device().target(PATH)
    shutil.rmtree(repository.folder.path)
    shutil.copytree(tmp_path / "backup", repository.folder.path)
    with pytest.raises(UpdateRefused):
        repository.device().refresh()
    rotated(repository, "snapshot", None, "new-s", revoke=True)
    rotated(repository, "timestamp", None, "new-t", revoke=True)
    repository.sign("alice", "bob")
    assert repository.device().target(PATH)
    with pytest.raises(UpdateRefused, match="no such file"):
        repository.device().target("onnx-cpu/rosette-1.1.2.zip")


@pytest.mark.parametrize("names", [("root", "bob"), ("snapshot", None)])
def test_a_role_is_not_left_with_too_few_keys(repository: FleetRepository, names: tuple[str, str | None]) -> None:
    role, old = names
    if role == "root":
        rotated(repository, "root", "carol", None, revoke=True)
        repository.sign("alice", "bob")
    with pytest.raises(RepositoryError, match="add a key first"):
        rotated(repository, role, old, None, revoke=True)
    assert not repository.change().roles


def test_a_rotation_says_what_it_lacks(repository: FleetRepository) -> None:
    with pytest.raises(RepositoryError, match="which key of root"):
        rotated(repository, "root", None, "dave")
    with pytest.raises(RepositoryError, match="which key"):
        rotated(repository, "root", "nobody", "dave")
    with pytest.raises(RepositoryError, match="--revoke"):
        rotated(repository, "root", "bob", None)
    with pytest.raises(RepositoryError, match="no role"):
        rotated(repository, "onnx-gpu", None, "dave")
    with pytest.raises(KeyUnusable, match="name another"):
        rotated(repository, "root", "bob", "bob")


def test_a_key_is_added_and_the_threshold_raised(repository: FleetRepository) -> None:
    change = repository.change()
    roles.add_key(repository.folder, change, HARDWARE, repository.public("second"), 2)
    change.keep()
    repository.sign("dora", "second")
    with pytest.raises(SignaturesMissing, match="second"):
        repository.publish()
    repository.publish(names=["second"])
    with pytest.raises(RepositoryError, match="needs 9"):
        roles.add_key(repository.folder, repository.change(), "root", repository.public("dave"), 9)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "x" * 65])
def test_a_hardware_has_a_name_that_is_one_folder(repository: FleetRepository, name: str) -> None:
    with pytest.raises(RepositoryError, match="no name"):
        roles.add_key(repository.folder, repository.change(), name, repository.key("release"), None)


def looked_at_after_each_write(repository: FleetRepository, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Devices, one that knows the repository and one that is new, update after each single file that is written."""
    seen: list[str] = []
    write = issuing.write_whole

    def looked_at(path: Path, content: bytes) -> None:
        write(path, content)
        for name in ("device", f"new-{len(seen)}"):
            device = repository.device(name)
            device.refresh()
            device.target(PATH)
        seen.append(path.name)

    monkeypatch.setattr(issuing, "write_whole", looked_at)
    return seen


Changed = Callable[[FleetRepository], object]
CHANGES: dict[str, Changed] = {
    "publish": lambda repository: repository.publish("1.1.0"),
    "withdraw": lambda repository: (
        repository.publish("1.1.0"),
        withdraw(repository.folder, "onnx-cpu/rosette-1.1.0.zip", repository.ring(), now()),
    ),
    "refresh": lambda repository: refresh(repository.folder, repository.ring(), now(), due=2.0),
    "renew": lambda repository: (repository.renew("root", HARDWARE), repository.sign("alice", "carol")),
    "root key": lambda repository: (rotated(repository, "root", "carol", "dave"), repository.sign("alice", "bob")),
    "timestamp key": lambda repository: (
        rotated(repository, "timestamp", None, "new"),
        repository.sign("alice", "bob"),
    ),
    "snapshot key": lambda repository: (rotated(repository, "snapshot", None, "new"), repository.sign("alice", "bob")),
    "targets key": lambda repository: (
        rotated(repository, "targets", None, "dan"),
        repository.sign("alice", "bob", "dora", "dan"),
    ),
    "hardware key": lambda repository: (rotated(repository, HARDWARE, None, "new"), repository.sign("dora")),
    "all at once": lambda repository: (
        rotated(repository, "root", "carol", "dave"),
        rotated(repository, "targets", None, "dan"),
        rotated(repository, "timestamp", None, "new-t"),
        rotated(repository, "snapshot", None, "new-s"),
        rotated(repository, HARDWARE, None, "new-h"),
        repository.sign("alice", "bob", "dora", "dan"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whoever_reads_between_two_writes_finds_a_whole_repository(
    repository: FleetRepository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repository.publish()
    seen = looked_at_after_each_write(repository, monkeypatch)
    CHANGES[name](repository)
    assert "timestamp.json" in seen
    assert not repository.change().roles


class Cut(Exception):
    """The power goes."""


def cut_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power goes instead of the next write."""
    write, done = issuing.write_whole, []

    def cut_short(path: Path, content: bytes) -> None:
        if len(done) == writes:
            raise Cut
        done.append(path)
        write(path, content)

    monkeypatch.setattr(issuing, "write_whole", cut_short)


@pytest.mark.parametrize("revoke", [False, True])
@pytest.mark.parametrize("writes", range(5))
def test_an_interrupted_change_is_finished_by_the_next_command(
    repository: FleetRepository, monkeypatch: pytest.MonkeyPatch, writes: int, revoke: bool
) -> None:
    repository.publish()
    rotated(repository, "targets", None, "dan", revoke=revoke)
    rotated(repository, "timestamp", None, "new", revoke=revoke)
    cut_after(writes, monkeypatch)
    with suppress(Cut):
        repository.sign("alice", "bob", "dora", "dan")
    monkeypatch.undo()
    if writes == 3 and revoke:  # between root and timestamp, since the old key must not sign: the one gap there is
        with pytest.raises(UpdateRefused):
            repository.device().target(PATH)
    else:
        repository.device().target(PATH)
    assert bool(repository.change().roles) == (writes < 4)
    repository.sign()
    assert not repository.change().roles
    assert repository.device().target(PATH)
    assert repository.device("new").target(PATH)


@pytest.mark.parametrize("writes", range(5))
def test_an_interrupted_change_can_be_gone_on_with(
    repository: FleetRepository, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    repository.publish()
    rotated(repository, "timestamp", None, "new", revoke=True)
    cut_after(writes, monkeypatch)
    with suppress(Cut):
        repository.sign("alice", "bob")
    monkeypatch.undo()
    rotated(repository, "root", "carol", "dave")
    rotated(repository, "targets", None, "dan")
    repository.sign("alice", "bob", "dan")
    assert not repository.change().roles
    listed = repository.change().root_ahead().roles
    keyids = {name: repository.key(name).public.keyid for name in ("carol", "dave", "dan", "new")}
    assert keyids["dave"] in listed["root"].keyids
    assert keyids["carol"] not in listed["root"].keyids
    assert listed["targets"].keyids == [keyids["dan"]]
    assert listed["timestamp"].keyids == [keyids["new"]]
    assert repository.device().target(PATH)


def test_nothing_is_published_that_a_device_would_refuse(repository: FleetRepository) -> None:
    before = repository.served()
    stale = repository.folder.delegated("targets")
    stale.signed.expires = now() - timedelta(days=1)
    stale.sign(repository.key("dora").signer)
    edition = issuing.Edition(delegated={"targets": stale})
    with pytest.raises(RepositoryError, match="a device would refuse this"):
        issuing.issue(repository.folder, edition, repository.ring(), now())
    assert repository.served() == before


def test_the_online_roles_are_signed_again_in_time_and_not_before(repository: FleetRepository) -> None:
    ring = repository.ring()
    assert refresh(repository.folder, ring, now()) == []
    assert refresh(repository.folder, ring, now() + timedelta(days=0.9)) == []
    assert refresh(repository.folder, ring, now() + timedelta(days=1.1)) == ["timestamp.json"]
    assert refresh(repository.folder, ring, now() + timedelta(days=1.2)) == []
    assert refresh(repository.folder, ring, now() + timedelta(days=4)) == ["3.snapshot.json", "timestamp.json"]
    assert refresh(repository.folder, ring, now(), due=2.0) == ["4.snapshot.json", "timestamp.json"]
    repository.device().refresh()


def test_without_the_online_key_nothing_is_signed_and_the_message_says_what_to_bring(
    repository: FleetRepository,
) -> None:
    before = repository.served()
    (repository.path / "keys" / "timestamp.pem").unlink()
    repository.keys.clear()
    with pytest.raises(SignaturesMissing, match="timestamp"):
        refresh(repository.folder, repository.ring(), now(), due=2.0)
    assert repository.served() == before


def test_status_names_what_somebody_has_to_do(repository: FleetRepository) -> None:
    assert not read_status(repository.folder, now()).needs_somebody
    late = {role.role: role.concern for role in read_status(repository.folder, now() + timedelta(days=85)).roles}
    assert "expired" in late["timestamp"]
    assert "expired" in late[HARDWARE]
    assert "soon" in late["targets"]
    assert late["root"] == ""
    rotated(repository, "root", "carol", "dave")
    status = read_status(repository.folder, now())
    assert status.needs_somebody
    assert [(waiting.role, waiting.version, waiting.missing) for waiting in status.pending] == [("root", 2, 2)]


def test_a_hardware_may_be_called_almost_like_a_role(repository: FleetRepository) -> None:
    change = repository.change()
    roles.add_key(repository.folder, change, "orin.root", repository.key("release"), None)
    change.keep()
    repository.sign("dora")
    for _ in range(3):
        repository.renew("orin.root")
        repository.sign()
    assert repository.folder.root().signed.version == 1
    assert read_status(repository.folder, now()).roles[-1].version == 4


def test_there_is_one_repository_in_a_folder(repository: FleetRepository) -> None:
    before = repository.served()
    with pytest.raises(RepositoryError, match="already"):
        repository.begin()
    assert repository.served() == before


def test_root_needs_as_many_keys_as_it_asks_for(tmp_path: Path) -> None:
    repository = FleetRepository(tmp_path)
    keys = {role: [repository.key(role)] for role in ("root", "targets", "snapshot", "timestamp")}
    with pytest.raises(RepositoryError, match="needs 2"):
        roles.begin(repository.folder, keys, {"root": 2}, Policy(), now())


@pytest.mark.parametrize("name", ["1.root.json", "timestamp.json", "2.targets.json"])
def test_a_damaged_repository_is_named(repository: FleetRepository, name: str) -> None:
    (repository.folder.metadata / name).write_bytes(b"{")
    with pytest.raises(RepositoryError, match=re.escape(name)):
        read_status(repository.folder, now())


def test_keys_are_found_again_by_a_later_command(repository: FleetRepository) -> None:
    repository.keys.clear()
    assert repository.publish().written
    kept = {Path(key.reference).name for key in repository.folder.kept_keys().values()}
    assert kept == {"snapshot.pem", "timestamp.pem", "release.pem"}, "a key that is kept offline was noted"
