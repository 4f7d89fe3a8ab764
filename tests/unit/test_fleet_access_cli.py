"""``canopy-fleet user``, ``token``, ``ca`` and ``device``: what an operator types, and what it says."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import app

RUN = CliRunner()
PASSWORD = "a few words of truth"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CANOPY_CA_PASSPHRASE", PASSWORD)
    path = tmp_path / "fleet.yaml"
    path.write_text("state_dir: state\nmqtt: {port: 0}\nhttp: {port: 0}\n")
    return path


def told(config: Path, *words: str, stdin: str = "", code: int = 0) -> str:
    done = RUN.invoke(app, [*words, "--config", str(config)], input=stdin)
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


def test_users_are_added_listed_changed_and_removed(config: Path) -> None:
    assert "user add NAME --role admin" in told(config, "user", "list")
    told(config, "user", "add", "eva", "--role", "admin", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    told(config, "user", "add", "ana", "--password-file", "-", stdin=f"{PASSWORD}\n")
    told(config, "user", "role", "ana", "operator")
    told(config, "user", "password", "ana", "--password-file", "-", stdin="another few words\n")
    listed = json.loads(told(config, "user", "list", "--json"))
    assert [(one["name"], one["role"]) for one in listed] == [("ana", "operator"), ("eva", "admin")]
    assert "password" not in listed[0]
    assert "last admin" in told(config, "user", "remove", "eva", code=4)
    told(config, "user", "remove", "ana")
    assert "no user ana" in told(config, "user", "remove", "ana", code=3)
    entries = json.loads(told(config, "audit", "list", "--json"))
    assert [entry["action"] for entry in entries][-2:] == ["user password", "user remove"]
    assert "words" not in json.dumps(entries)


def test_a_password_is_never_taken_from_the_command_line(config: Path) -> None:
    assert "10 to 256" in told(config, "user", "add", "ana", "--password-file", "-", stdin="short\n", code=2)
    assert "cannot read the password" in told(config, "user", "add", "ana", "--password-file", "/nowhere", code=2)


def test_tokens_are_shown_once_listed_and_revoked(config: Path) -> None:
    made = RUN.invoke(app, ["token", "create", "robot", "-s", "read", "-s", "rollouts:operate", "-c", str(config)])
    assert re.fullmatch(r"canopy_[A-Za-z0-9_-]{43}\n", made.stdout)
    listed = told(config, "token", "list", "--json")
    assert made.stdout.strip() not in listed
    assert json.loads(listed)[0]["scopes"] == "read rollouts:operate"
    assert "robot" in told(config, "token", "list")
    assert "already" in told(config, "token", "create", "robot", "-s", "read", code=4)
    assert "no scope" in told(config, "token", "create", "other", "-s", "write", code=2)
    told(config, "token", "revoke", "robot")
    assert "no token robot" in told(config, "token", "revoke", "robot", code=3)


def test_an_authority_is_made_looked_at_and_gives_tokens(config: Path) -> None:
    assert "canopy-fleet ca init" in told(config, "device", "enroll-token", "gh/cam", code=9)
    said = told(config, "ca", "init")
    assert re.search(r"SHA-256 [0-9a-f]{64}", said)
    assert "holds an authority already" in told(config, "ca", "init", code=9)
    assert "until" in told(config, "ca", "server", "fleet.example", "192.0.2.7")
    assert {row["certificate"] for row in json.loads(told(config, "ca", "status", "--json"))} == {"root", "issuing"}
    assert "7299" in told(config, "ca", "status")
    assert told(config, "device", "enroll-token", "gh/cam", "--ttl", "30min").startswith("canopy1.")
    assert "is not SITE/DEVICE" in told(config, "device", "enroll-token", "cam", code=2)
    assert "up to 90 days" in told(config, "device", "enroll-token", "gh/cam", "--ttl", "91d", code=2)
    assert "0 certificates revoked" in told(config, "device", "revoke", "gh/cam")
    assert "no valid certificate" in told(config, "device", "revoke", "gh/cam", code=3)
    assert told(config, "ca", "crl").strip().endswith("crl.pem")
    assert told(config, "device", "certificates", "--json").strip() == "[]"


def test_no_private_file_is_readable_for_others(config: Path) -> None:
    told(config, "ca", "init")
    private = config.parent / "state" / "ca" / "private"
    assert private.stat().st_mode & 0o077 == 0
    assert [path.name for path in private.iterdir() if path.suffix == ".key" and path.stat().st_mode & 0o077] == []
    assert b"ENCRYPTED" in (private / "root.key").read_bytes()
