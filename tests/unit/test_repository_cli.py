"""The ceremony as people hold it: commands, exit codes, and what they read on the way."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from edge.update.client import UpdateClient
from edge.update.fetch import Source
from fleet.cli import app
from tests.sim.packed import packed

RUN = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CANOPY_KEY_PASSPHRASE", raising=False)
    return tmp_path


def repo(*words: str, says: str = "") -> Result:
    return RUN.invoke(app, ["repo", *words], input=says)


def done(*words: str, says: str = "") -> str:
    result = repo(*words, says=says)
    assert result.exit_code == 0, result.output
    return result.output


def begun_by_one_person() -> None:
    done("init", "--make-keys", "keys", "--no-passphrase")
    done("key", "keys/release.pem", "--no-passphrase")
    done("add-key", "onnx-cpu", "keys/release.pem", "--key", "keys/targets.pem")


def device() -> UpdateClient:
    bootstrap = Path("updates/public/metadata/1.root.json").read_bytes()
    source = Source.in_folder(Path("updates/public"))
    return UpdateClient(Path("device"), source, bootstrap=bootstrap, reserve_bytes=0)


def test_one_person_begins_publishes_and_a_device_takes_it() -> None:
    begun_by_one_person()
    packed(Path("rosette.zip"))
    assert "is offered" in done("publish", "rosette.zip", "--hardware", "onnx-cpu")
    client = device()
    assert client.download(client.target("onnx-cpu/rosette-1.0.0.zip"), Path("downloads")).is_file()
    assert "offered already" in done("publish", "rosette.zip", "--hardware", "onnx-cpu")
    status = json.loads(done("status", "--json"))
    assert {role["role"]: role["version"] for role in status["roles"]} == {
        "root": 1, "targets": 2, "snapshot": 3, "timestamp": 3, "onnx-cpu": 2,
    }  # fmt: skip
    assert "nothing is due" in done("refresh")
    assert "timestamp.json" in done("refresh", "--force")
    assert "no longer" in done("withdraw", "onnx-cpu/rosette-1.0.0.zip")


def test_three_people_hold_root_and_no_secret_leaves_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("alice", "bob", "carol", "dora", "online"):
        monkeypatch.setenv("CANOPY_KEY_PASSPHRASE", f"{name}'s")
        done("key", f"{name}.pem")
    monkeypatch.setenv("CANOPY_KEY_PASSPHRASE", "online's")
    roots = [word for name in ("alice", "bob", "carol") for word in ("--root", f"{name}.pem.pub")]
    online = ["--snapshot", "online.pem", "--timestamp", "online.pem"]
    told = done("init", *roots, "--targets", "dora.pem.pub", *online)
    assert "root waits for 2 signature(s)" in told
    assert not Path("updates/public").exists()
    assert repo("status").exit_code == 1

    for name in ("alice", "carol"):
        Path(f"{name}.1.root.json").write_bytes(Path("updates/pending/1.root.json").read_bytes())
        monkeypatch.setenv("CANOPY_KEY_PASSPHRASE", f"{name}'s")
        told = done("sign", "--copy", f"{name}.1.root.json", "--key", f"{name}.pem", says="y\n")
        assert "root: 2 of alice" in told, "people read what they sign"
    monkeypatch.setenv("CANOPY_KEY_PASSPHRASE", "dora's")
    done("sign", "--key", "dora.pem", "--yes")
    monkeypatch.setenv("CANOPY_KEY_PASSPHRASE", "online's")
    done("sign", "--merge", "alice.1.root.json")
    assert "in force" in done("sign", "--merge", "carol.1.root.json")
    device().refresh()
    assert repo("status").exit_code == 0


def test_a_rotation_is_looked_at_before_it_is_done() -> None:
    begun_by_one_person()
    done("key", "keys/timestamp-2.pem", "--no-passphrase")
    rotation = ["rotate", "timestamp", "--new", "keys/timestamp-2.pem"]
    told = done(*rotation, "--dry-run")
    assert "timestamp (" in told
    assert "root version 2 needs signatures: 2 of" in told
    assert "every device" in told
    assert repo("status").exit_code == 0, "a dry run leaves nothing behind"
    done(*rotation, "--key", "keys/root-1.pem")
    assert repo("status").exit_code == 1
    assert "pending: root version 2, 1 signature(s) missing" in repo("status").output
    assert "in force" in done("sign", "--key", "keys/root-3.pem", "--yes")
    device().refresh()


def test_a_change_is_abandoned() -> None:
    begun_by_one_person()
    done("renew", "root", "--key", "keys/root-1.pem")
    done("abandon")
    assert "nothing waits" in done("sign")
    assert repo("status").exit_code == 0


def test_who_says_no_has_signed_nothing() -> None:
    begun_by_one_person()
    done("renew", "root")
    done("sign", "--key", "keys/root-1.pem", says="n\n")
    assert "signed by nobody" in repo("status").output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["status"], "no repository"),
        (["publish", "missing.zip", "--hardware", "onnx-cpu"], "missing.zip"),
        (["add-key", "onnx-cpu", "missing.pem"], "no repository"),
        (["sign", "--copy", "missing.json", "--key", "missing.pem"], "missing.pem"),
        (["key", "encrypted.pem"], "CANOPY_KEY_PASSPHRASE"),
        (["init"], "name more"),
    ],
)
def test_what_is_wrong_is_said_with_the_exit_code_of_the_repository(words: list[str], says: str) -> None:
    result = repo(*words)
    assert result.exit_code == 8, result.output
    assert says in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("words", [["renew", "timestamp"], ["renew", "nothing"], ["rotate", "root", "--revoke"]])
def test_what_cannot_be_changed_is_refused(words: list[str]) -> None:
    begun_by_one_person()
    assert repo(*words).exit_code == 8
    assert repo("status").exit_code == 0


def test_no_keys_are_made_for_a_repository_that_is_there_already() -> None:
    begun_by_one_person()
    assert repo("init", "--make-keys", "more-keys", "--no-passphrase").exit_code == 8
    assert not Path("more-keys").exists()


def test_a_plain_key_is_said_loudly() -> None:
    assert "NO PASSPHRASE" in repo("key", "plain.pem", "--no-passphrase").output


def test_a_repository_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    begun_by_one_person()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleet.repository.issue.write_whole", full)
    result = repo("refresh", "--force")
    assert result.exit_code == 8
    assert "No space left" in result.output
