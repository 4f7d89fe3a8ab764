"""The update repository beside the service: what it offers, and who keeps it fresh."""

import json
import logging
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fleet.errors import ConfigError
from fleet.repository.folder import RepositoryFolder
from fleet.settings import load_settings
from fleet.updates import OnlineSignatures, offered
from tests.sim.depot import build_repository
from tests.sim.models import packed


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With version 1.1.0 for ``cpu`` and ``orin``."""
    return build_repository(tmp_path, [packed(tmp_path, "1.1.0")[0]], ["cpu", "orin"])


def test_what_is_offered_is_read_from_what_is_signed(repository: Path, tmp_path: Path) -> None:
    package = packed(tmp_path, "1.1.0")[1]
    assert offered(repository) == {package.ref.digest: frozenset({"cpu", "orin"})}


def test_signatures_are_renewed_before_they_run_out(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RepositoryFolder(repository)
    before = folder.timestamp()
    assert before
    OnlineSignatures(repository)._refresh()
    assert folder.timestamp().signed.version == before.signed.version  # type: ignore[union-attr]
    later = datetime.now(timezone.utc) + timedelta(days=1.5)
    monkeypatch.setattr("fleet.updates.datetime", type("Later", (), {"now": staticmethod(lambda _tz: later)}))
    OnlineSignatures(repository)._refresh()
    assert folder.timestamp().signed.version == before.signed.version + 1  # type: ignore[union-attr]


def test_a_key_that_is_gone_is_said_once_and_tried_again(
    repository: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / "keys.json").write_text(json.dumps({}))
    later = datetime.now(timezone.utc) + timedelta(days=1.5)
    monkeypatch.setattr("fleet.updates.datetime", type("Later", (), {"now": staticmethod(lambda _tz: later)}))
    signatures = OnlineSignatures(repository)
    with caplog.at_level(logging.ERROR, "fleet.updates"):
        for _ in range(3):
            signatures._refresh()
    assert len(caplog.records) == 1
    assert "CANOPY_KEY_PASSPHRASE" in caplog.text


def test_the_setting_is_relative_to_its_file(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("state_dir: s\nupdates: {repository: updates}\n")
    assert load_settings(path).updates.repository == tmp_path / "updates"
    path.write_text("state_dir: s\nupdates: {repo: updates}\n")
    with pytest.raises(ConfigError, match=r"updates\.repo"):
        load_settings(path)
