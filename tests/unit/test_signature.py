"""Signatures: of this file, by this key, and nothing else; other tools of the specification read them too."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from typer.testing import CliRunner

from export.cli import app
from export.signature import PASSWORD, KeyUnusable, SignatureInvalid, check_signature, make_key, sign, signature_of
from tests.sim.green_model import build_green_package

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "maker.pem", make_key(tmp_path / "maker.pem")


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    file = tmp_path / "rosette-1.0.0.zip"
    file.write_bytes(b"PK" + bytes(range(256)) * 40)
    sign(file, keys[0])
    return file


def test_a_signed_file_is_its_makers(signed: Path, keys) -> None:
    check_signature(signed, keys[1])
    assert signature_of(signed).name == "rosette-1.0.0.zip.sig"
    assert [path.suffix for path in signed.parent.iterdir() if path.name.startswith(".")] == []


def test_one_changed_byte_is_refused(signed: Path, keys) -> None:
    content = bytearray(signed.read_bytes())
    content[1000] ^= 1
    signed.write_bytes(content)
    with pytest.raises(SignatureInvalid, match="do not use it"):
        check_signature(signed, keys[1])


def test_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    with pytest.raises(SignatureInvalid, match="do not use"):
        check_signature(signed, make_key(tmp_path / "stranger.pem"))


def test_a_signature_of_another_key_that_says_it_is_ours_is_refused(signed: Path, keys, tmp_path: Path) -> None:
    ours = json.loads(signature_of(signed).read_text())
    make_key(tmp_path / "stranger.pem")
    sign(signed, tmp_path / "stranger.pem")
    theirs = json.loads(signature_of(signed).read_text())
    theirs["verificationMaterial"] = ours["verificationMaterial"]
    signature_of(signed).write_text(json.dumps(theirs))
    with pytest.raises(SignatureInvalid, match="was not made with the key"):
        check_signature(signed, keys[1])


def test_a_signature_of_another_file_is_refused(signed: Path, keys) -> None:
    other = signed.with_name("fruit.zip")
    other.write_bytes(b"other")
    sign(other, keys[0])
    signature_of(other).replace(signature_of(signed))
    with pytest.raises(SignatureInvalid, match="do not use it"):
        check_signature(signed, keys[1])


def test_a_file_without_a_signature_is_refused(tmp_path: Path, keys) -> None:
    (tmp_path / "bare.zip").write_bytes(b"x")
    with pytest.raises(SignatureInvalid, match="is not signed"):
        check_signature(tmp_path / "bare.zip", keys[1])


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"mediaType": 1}', b" " * (2**20 + 1)])
def test_what_is_no_signature_is_refused(signed: Path, keys, content: bytes) -> None:
    signature_of(signed).write_bytes(content)
    with pytest.raises(SignatureInvalid):
        check_signature(signed, keys[1])


def test_a_key_is_its_owners_alone_and_is_never_overwritten(keys) -> None:
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
    with pytest.raises(KeyUnusable, match="name a new file"):
        make_key(keys[0])


def test_a_password_locks_the_key(tmp_path: Path, monkeypatch, signed: Path) -> None:
    monkeypatch.setenv(PASSWORD, "correct horse")
    public = make_key(tmp_path / "locked.pem")
    assert b"ENCRYPTED" in (tmp_path / "locked.pem").read_bytes()
    sign(signed, tmp_path / "locked.pem")
    check_signature(signed, public)
    for wrong in ("battery staple", ""):
        monkeypatch.setenv(PASSWORD, wrong)
        with pytest.raises(KeyUnusable, match=PASSWORD):
            sign(signed, tmp_path / "locked.pem")


def test_keys_of_other_kinds_are_refused_before_anything_is_signed(tmp_path: Path, signed: Path) -> None:
    before = signature_of(signed).read_bytes()
    for name, key in (
        ("rsa", rsa.generate_private_key(65537, 2048)),
        ("curve", ec.generate_private_key(ec.SECP256K1())),
    ):
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (tmp_path / name).write_bytes(key.private_bytes(*form))
        with pytest.raises(KeyUnusable, match="no private key that can sign"):
            sign(signed, tmp_path / name)
    (tmp_path / "none").write_bytes(b"-----BEGIN")
    with pytest.raises(KeyUnusable):
        sign(signed, tmp_path / "none")
    with pytest.raises(KeyUnusable, match="no public key"):
        check_signature(signed, tmp_path / "none")
    assert signature_of(signed).read_bytes() == before


def test_the_specifications_own_tool_verifies_it(signed: Path, keys) -> None:
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(signed)]
    command += ["--signature", str(signature_of(signed)), "--public_key", str(keys[1])]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    signed.write_bytes(b"other")
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0


def test_from_a_package_to_a_signed_zip_and_back(tmp_path: Path) -> None:
    package = build_green_package(tmp_path / "green", height_px=64, width_px=64)
    key, archive = tmp_path / "key.pem", tmp_path / "green.zip"
    run = CliRunner().invoke
    assert run(app, ["keygen", str(key)]).exit_code == 0
    assert run(app, ["pack", str(package), str(archive), "--sign-with", str(key)]).exit_code == 0
    verify = ["verify-signature", str(archive), "--key", str(key.with_suffix(".pub.pem"))]
    assert "unchanged since" in run(app, verify).output
    archive.write_bytes(archive.read_bytes()[:-1])
    refused = run(app, verify)
    assert refused.exit_code == 7
    assert "do not use it" in refused.output
