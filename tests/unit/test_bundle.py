"""The support bundle tells what support needs, is small, and holds no secret wherever one was."""

import json
import os
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from edge.bundle import MAX_MEMBER_BYTES
from edge.cli import app
from edge.clock import read_clock
from edge.contract.records import Event, EventKind
from edge.outbox import OUTBOX_FILE, Outbox
from edge.redact import MASK, Redactor
from edge.settings import OutboxSettings
from tests.sim.green_model import build_green_package

MQTT_PASSWORD = "correct-horse-battery"
RTSP_USER, RTSP_PASSWORD, RTSP_TOKEN = "growerlogin", "tomato%2Fsoup!9", "live-7f3a9c"
UPDATE_TOKEN, CLOUD_KEY = "updtok-55aa", "AKIAPLANTED0123456789"
KEY_BODY, CERTIFICATE_BODY = "MIGHAgEAMBMGByqGSM49PLANTEDKEY", "MIIBszCCAVmgAwIBPLANTEDCERT"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ"
PEM = f"-----BEGIN PRIVATE KEY-----\n{KEY_BODY}\n-----END PRIVATE KEY-----"
SECRETS = (
    MQTT_PASSWORD, RTSP_USER, RTSP_PASSWORD, "tomato/soup!9", RTSP_TOKEN, UPDATE_TOKEN, CLOUD_KEY, KEY_BODY,
    CERTIFICATE_BODY, JWT, "hunter2-in-a-log", "basic64value==", "cookie-crumbs-1",
)  # fmt: skip

LOG = f"""\
2026-11-24T10:00:00 cam canopy[7]: camera door: rtsp://{RTSP_USER}:{RTSP_PASSWORD}@192.0.2.7:554/{RTSP_TOKEN}?x=1 lost
2026-11-24T10:00:01 cam canopy[7]: GET https://updates.example/a?token={UPDATE_TOKEN}&n=1 answered 403
2026-11-24T10:00:02 cam canopy[7]: Authorization: Bearer {JWT}
2026-11-24T10:00:03 cam canopy[7]: retry with password=hunter2-in-a-log and {MQTT_PASSWORD}
2026-11-24T10:00:04 cam canopy[7]: {PEM}
2026-11-24T10:00:05 cam canopy[7]: Basic basic64value== Cookie: cookie-crumbs-1
2026-11-24T10:00:06 cam canopy[7]: -----BEGIN CERTIFICATE----- {CERTIFICATE_BODY}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device with secrets in its configuration, environment, files, records and the system's log."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "journal").write_text(LOG)
    for name in ("journalctl", "dmesg"):
        (programs / name).write_text(f"#!/bin/sh\ncat {tmp_path / 'journal'}\nenv\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("CANOPY_MQTT_PASSWORD", MQTT_PASSWORD)
    monkeypatch.setenv("CLOUD_SECRET_KEY", CLOUD_KEY)
    build_green_package(tmp_path / "package")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "device.key").write_text(PEM)
    (tmp_path / "state" / "device.key").chmod(0o600)
    (tmp_path / "state" / "device.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{CERTIFICATE_BODY}\n-----END")
    with closing(Outbox(tmp_path / "state" / OUTBOX_FILE, OutboxSettings())) as outbox:
        outbox.append([Event(kind=EventKind.CAMERA_LOST, clock=read_clock(), message=LOG[:1500])])
    url = f"rtsp://{RTSP_USER}:{RTSP_PASSWORD}@127.0.0.1:9/{RTSP_TOKEN}"
    tree = {
        "site": "gh", "device": "cam", "state_dir": "state", "inference": {"package": "package", "backend": "cpu"},
        "cameras": [{"name": "door", "source": {"kind": "rtsp", "url": url}}],
        "mqtt": {"host": "127.0.0.1", "port": 9, "username": "cam"},
        "update": {
            "hardware": "onnx-cpu", "root": "root.json", "url": f"https://u:{UPDATE_TOKEN}@127.0.0.1:9/{UPDATE_TOKEN}",
        },
    }  # fmt: skip
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def test_no_secret_is_in_the_bundle_and_all_that_support_needs_is(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    words = ["support-bundle", "--config", str(config), "--output", str(target), "--timeout", "5"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(target) as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    found = [(name, secret) for name, text in members.items() for secret in SECRETS if secret in text]
    assert found == []
    assert set(members) == {
        "about.json", "settings.json", "status.json", "doctor.json", "outbox.json", "events.json", "chip.json",
        "daemon.txt", "log.txt", "kernel.txt", "disks.txt", "cameras.txt",
    }  # fmt: skip
    assert "192.0.2.7:554" in members["log.txt"], "which camera it was, is not hidden"
    assert "updates.example/a" in members["log.txt"]
    assert json.loads(members["outbox.json"])["last_seq"] == 1
    assert {each["check"] for each in json.loads(members["doctor.json"])} >= {"camera", "model", "disk"}
    assert "pydantic" in json.loads(members["about.json"])["packages"]


def test_a_configuration_that_cannot_be_used_is_told_in_the_bundle(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text() + f"nonsense: 1\nmqtt_password: {MQTT_PASSWORD}\n")
    target = tmp_path / "bundle.zip"
    words = ["support-bundle", "--config", str(config), "--output", str(target)]
    assert CliRunner().invoke(app, words).exit_code == 0
    with zipfile.ZipFile(target) as archive:
        members = {name: archive.read(name).decode() for name in archive.namelist()}
    assert "nonsense: there is no such setting" in members["settings.txt"]
    assert [secret for secret in SECRETS for text in members.values() if secret in text] == []


def test_the_bundle_stays_small_whatever_the_log_is(config: Path, tmp_path: Path) -> None:
    with (tmp_path / "journal").open("wb") as file:
        for _ in range(40):
            file.write(os.urandom(400_000).hex().encode() + b"\n")
    target = tmp_path / "bundle.zip"
    words = ["support-bundle", "--config", str(config), "--output", str(target), "--timeout", "5"]
    assert CliRunner().invoke(app, words).exit_code == 0
    with zipfile.ZipFile(target) as archive:
        assert max(each.file_size for each in archive.infolist()) <= MAX_MEMBER_BYTES
    assert target.stat().st_size < 5_000_000


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("mqtt_password: abc", "mqtt_password: ***"),
        ('"api_key": "abc123"', '"api_key": "***"'),
        ("https://x.example/p?a=1&sig=abc&b=2", "https://x.example/p?a=1&sig=***&b=2"),
        ("rtsp://u:p/w@cam.example/live", "rtsp://***@cam.example/***"),
        ("the broker has no password for greenhouse-1", "the broker has no password for greenhouse-1"),
        ("camera top lost after 12 s", "camera top lost after 12 s"),
    ],
)
def test_what_looks_like_a_secret_goes_and_what_does_not_stays(said: str, kept: str) -> None:
    assert Redactor(None).clean(said) == kept


@given(
    st.from_regex(r"[A-Za-z0-9_~.-]{4,30}", fullmatch=True),
    st.sampled_from(["password", "TOKEN", "x-api-key", "secret"]),
)
def test_no_assignment_of_a_secret_comes_through(value: str, name: str) -> None:
    for form in (
        f"{name}={value}",
        f"{name}: {value}",
        f'{{"{name}": "{value}"}}',
        f"https://h.example/?{name}={value}",
    ):
        cleaned = Redactor(None).clean(f"before {form} after")
        assert f"={value}" not in cleaned
        assert f" {value}" not in cleaned
        assert f'"{value}' not in cleaned
        assert MASK in cleaned
