"""Steps of a retraining are processes of their own: what they say is kept, and a stop ends them."""

import sys
import threading
from pathlib import Path

import pytest

from fleet.errors import RetrainingFailed
from fleet.retrain.workshop import Workshop


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the environment's bin."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_what_a_step_says_stands_in_the_log_with_its_command(programs: Path) -> None:
    program(programs, "canopy-train", 'echo "fit $2"; echo why >&2')
    Workshop(programs).run("canopy-train", "fit", "--run", programs)
    assert (programs / "log").read_text().splitlines() == [f"$ canopy-train fit --run {programs}", "fit --run", "why"]


def test_a_step_that_ends_badly_is_an_error_with_its_last_words(programs: Path) -> None:
    program(programs, "canopy-export", "echo working; echo 'no room on the disk' >&2; exit 3")
    with pytest.raises(RetrainingFailed, match=r"package ended with 3: no room on the disk; all of it is in .*log"):
        Workshop(programs).run("canopy-export", "package")


def test_what_is_not_installed_is_said_with_the_way_around_it(programs: Path) -> None:
    with pytest.raises(RetrainingFailed, match="retrain judge"):
        Workshop(programs).run("canopy-train", "fit")


def test_a_stop_ends_the_step(programs: Path) -> None:
    program(programs, "canopy-train", "exec sleep 100")
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(RetrainingFailed, match="-15"):
        Workshop(programs, stopping).run("canopy-train", "fit")


def test_a_step_sees_no_secret_of_the_service(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANOPY_KEY_PASSPHRASE", "s3cret")
    program(programs, "canopy-train", "env")
    Workshop(programs).run("canopy-train", "fit")
    assert "s3cret" not in (programs / "log").read_text()
