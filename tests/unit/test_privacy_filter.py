"""A program of the grower's own filters a picture before it is written; whatever it does wrong, nothing is kept."""

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from edge.cli import app
from edge.clock import utc_now
from edge.harvest.policy import Budget
from edge.harvest.privacy_filter import FilterFailed, filtered
from edge.harvest.shelf import Shelf
from edge.settings.harvest import PrivacySettings
from tests.sim.green_model import build_green_package
from tests.unit.test_harvest import harvest

PIXELS = np.random.default_rng(5).integers(0, 256, (24, 32, 3), np.uint8)

BLACKENS_THE_TOP = f"""#!{sys.executable} -SE
import sys
picture = sys.stdin.buffer.read()
kind, width, height, depth = picture.split(maxsplit=4)[:4]
start, half = len(picture) - int(width) * int(height) * 3, int(width) * (int(height) // 2) * 3
sys.stdout.buffer.write(b"P6\\n# by hand\\n%s %s\\n255\\n" % (width, height) + bytes(half) + picture[start + half:])
"""

BAD = {
    "ends with an error": ("echo no camera licence >&2; cat; exit 3", "ended with 3: no camera licence"),
    "hangs": ("sleep 60", "took more than"),
    "leaves a child that holds its output": ("sleep 60 & exec cat", "took more than"),
    "says nothing": ("exec cat > /dev/null", "no PPM picture"),
    "gives another size": ("printf 'P6\\n2 2\\n255\\n123456789012'", "a picture of 2 x 2 px"),
    "gives half of the picture": ("head -c 1000", "in 1000 bytes"),
    "floods": ("exec cat /dev/zero", "gave more than the"),
    "floods with complaints": ("exec cat /dev/zero >&2", "took more than"),
    "gives something else": ("echo GIF89a", "no PPM picture"),
}


def script(folder: Path, text: str) -> str:
    path = folder / "filter"
    path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_picture_goes_through_in_its_own_colours(tmp_path: Path) -> None:
    assert np.array_equal(filtered(PIXELS, [script(tmp_path, "exec cat")], 30), PIXELS)
    seen = filtered(PIXELS, ["/bin/sh", "-c", f"tee {tmp_path}/seen.ppm"], 30)
    assert np.array_equal(cv2.imread(str(tmp_path / "seen.ppm")), PIXELS), "as any library reads it"
    assert np.array_equal(seen, PIXELS)


def test_what_the_filter_hides_is_hidden(tmp_path: Path) -> None:
    found = filtered(PIXELS, [script(tmp_path, BLACKENS_THE_TOP)], 30)
    assert not found[:12].any()
    assert np.array_equal(found[12:], PIXELS[12:])


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD.keys())
def test_a_filter_that_does_otherwise_gives_no_picture(tmp_path: Path, text: str, says: str) -> None:
    within_s = 0.5 if "took" in says else 30
    with pytest.raises(FilterFailed, match=says):
        filtered(PIXELS, [script(tmp_path, text)], within_s)


def test_a_filter_that_is_not_there_gives_no_picture(tmp_path: Path) -> None:
    with pytest.raises(FilterFailed, match="cannot be started"):
        filtered(PIXELS, [str(tmp_path / "nowhere")], 30)


def test_a_filter_runs_at_low_priority_and_leaves_nothing_behind(tmp_path: Path) -> None:
    niceness, child = tmp_path / "niceness", tmp_path / "child"
    text = f"sleep 0.3; sleep 600 > /dev/null 2>&1 & echo $! > {child}; sleep 0.3; nice > {niceness}; exec cat"
    filtered(PIXELS, [script(tmp_path, text)], 30)
    assert int(niceness.read_text()) >= 10
    assert _is_gone(int(child.read_text())), "what it started is killed"


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_kept_frame_was_filtered_and_says_so(tmp_path: Path) -> None:
    (kept,) = harvest(tmp_path, privacy={"command": [script(tmp_path, BLACKENS_THE_TOP)], "within_s": 30}).frames()
    pixels, known = cv2.imread(str(kept.path)).astype(int), kept.read()
    assert pixels[:92].max() <= 2
    assert pixels[110:].mean() > 60
    assert known is not None
    assert known.filtered


def test_nothing_is_kept_when_the_filter_fails_and_it_is_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = harvest(tmp_path, count=3, privacy={"command": [script(tmp_path, "exit 1")], "within_s": 30})
    assert not list(shelf.folder.glob("*-*")), "neither a picture nor a description"
    budget = shelf.read_budget(utc_now())
    assert (budget.seen, budget.unfiltered, budget.by_chance_bytes) == (3, 3, 0)
    assert caplog.text.count("ended with 1") == 1


def test_a_filter_is_named_by_its_whole_path() -> None:
    with pytest.raises(ValidationError, match="no whole path"):
        PrivacySettings(command=("blur-faces",))
    with pytest.raises(ValidationError, match="greater than 0"):
        PrivacySettings(command=("/bin/cat",), within_s=0)


def test_config_check_shows_the_filter_and_refuses_one_that_is_not_there(tmp_path: Path) -> None:
    package = build_green_package(tmp_path / "package")
    (tmp_path / "pictures").mkdir()
    camera = {"name": "top", "source": {"kind": "folder", "path": str(tmp_path / "pictures")}}
    privacy = {"command": [script(tmp_path, "exec cat"), "--faces"], "within_s": 3}
    document = {
        "site": "gh", "device": "cam", "state_dir": str(tmp_path), "inference": {"package": str(package)},
        "cameras": [camera | {"harvest": {"privacy": privacy}}],
    }  # fmt: skip
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(document))
    result = CliRunner().invoke(app, ["config", "check", "--config", str(path)], env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    assert "--faces within 3 s" in result.output
    Shelf(tmp_path, "top").write_budget(Budget(utc_now().date(), unfiltered=4))
    told = CliRunner().invoke(app, ["harvest", "list", "--config", str(path)])
    assert "top: 4 frames were not kept" in told.stderr
    (tmp_path / "filter").unlink()
    result = CliRunner().invoke(app, ["config", "check", "--config", str(path)])
    assert result.exit_code != 0
    assert "is no program that this user may run" in " ".join(result.output.split())
