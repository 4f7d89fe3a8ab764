"""A setting is changed in the file, and nothing else of the file is."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from edge.cli import app
from edge.errors import ConfigError
from edge.lock import only_daemon_in
from edge.settings.edit import value_of, with_value
from edge.settings.origin import flattened
from tests.sim.green_model import build_green_package

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "configs/device.yaml").read_text()
RUN = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
TEXT = """\
# a device
site: gh   # where
device: cam
state_dir: state
inference: { package: package }
cameras:
  - name: top
    source: {kind: folder, path: pictures}   # a folder
    # how often
    max_fps: 2   # slow
  - name: side
    source:
      kind: rtsp
      url: "rtsp://grower:s3cret@192.0.2.7/live"
mqtt:
# the end
"""


@pytest.mark.parametrize(
    ("path", "words", "line"),
    [
        ("site", "north", "site: north   # where"),
        ("cameras.top.max_fps", "5", "    max_fps: 5   # slow"),
        ("cameras.top.source.path", "other", "    source: {kind: folder, path: other}   # a folder"),
        ("cameras.top.quality.dark_below", "8", "    quality: {dark_below: 8}"),
        ("cameras.side.interval_s", "600", "    interval_s: 600"),
        ("cameras.side.source.url", "rtsp://b/", "      url: rtsp://b/"),
        ("inference.threads", "2", "inference: { package: package, threads: 2 }"),
        ("outbox.max_bytes", "3000000", "outbox: {max_bytes: 3000000}"),
        ("mqtt.host", "broker", "mqtt: {host: broker}"),
        ("mqtt", "null", "mqtt: null"),
    ],
)
def test_one_line_changes_or_comes_and_every_other_stays(path, words, line):
    changed = with_value(TEXT, path, value_of(words)).splitlines()
    before = TEXT.splitlines()
    assert line in changed
    assert len([each for each in before if each not in changed]) <= 1
    assert [each for each in changed if each in before] == [each for each in before if each in changed]


def test_a_block_is_replaced_without_the_comments_after_it():
    changed = with_value(TEXT, "cameras.side.source", {"kind": "video", "path": "clip.mp4"})
    assert "# the end" in changed
    assert yaml.safe_load(changed)["cameras"][1]["source"] == {"kind": "video", "path": "clip.mp4"}


@pytest.mark.parametrize("value", ["\x85", "\u2028", "a\x85b", "a\r\nb", "a\nb", "\ufeff", "é", "", " x "])
def test_text_that_yaml_would_take_for_the_end_of_a_line_comes_out_as_meant(value):
    assert yaml.safe_load(with_value(SHIPPED, "site", value))["site"] == value


@settings(deadline=None)
@given(
    path=st.sampled_from(sorted(flattened(yaml.safe_load(SHIPPED)))),
    value=st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.lists(st.floats(0, 1), max_size=3),
)
def test_any_value_anywhere_in_the_shipped_file_comes_out_as_meant_with_all_comments(path, value):
    changed = with_value(SHIPPED, path, value)
    found = {**flattened(yaml.safe_load(changed))}
    meant = {**flattened(yaml.safe_load(SHIPPED)), path: value}
    assert {key: each for key, each in found.items() if key != path} == {
        key: each for key, each in meant.items() if key != path and not key.startswith(f"{path}.")
    } or path.endswith(".name")
    comments = [line.partition("#")[2] for line in SHIPPED.splitlines() if "#" in line]
    assert all(comment in changed for comment in comments)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x {b: 1}\nc: *x\n", "c.b"),
        ("- 1\n", "a"),
        ("cameras: [{name: top}]\n", "cameras.door.max_fps"),
        ("site: gh\n", "site.deeper"),
    ],
)
def test_what_a_program_cannot_change_safely_is_left_to_the_editor(text, path):
    with pytest.raises(ConfigError):
        with_value(text, path, 2)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    build_green_package(tmp_path / "package")
    (tmp_path / "pictures").mkdir()
    path = tmp_path / "device.yaml"
    path.write_text(TEXT.replace("mqtt:\n", "mqtt: null\n"))
    return path


def canopy(*words: object):
    return RUN.invoke(app, [str(word) for word in words])


def test_a_change_is_checked_kept_with_the_files_rights_and_taken_back(config):
    config.chmod(0o640)
    before = config.read_text()
    refused = canopy("config", "set", "cameras.top.max_fps", "-1", "-c", config)
    assert (refused.exit_code, config.read_text()) == (2, before)
    assert "greater than 0" in refused.stderr
    assert "stays as it is; with this cameras.top.max_fps" in refused.stderr
    assert "no such setting" in canopy("config", "set", "nonsense", "1", "-c", config).stderr
    done = canopy("config", "set", "cameras.top.max_fps", "5", "-c", config)
    assert (done.exit_code, "when the daemon starts" in done.stdout) == (0, True)
    assert config.read_text() == before.replace("max_fps: 2", "max_fps: 5")
    assert config.stat().st_mode & 0o777 == 0o640
    assert canopy("config", "undo", "-c", config).exit_code == 0
    assert config.read_text() == before
    canopy("config", "undo", "-c", config)
    assert "max_fps: 5" in config.read_text()
    left = {path.name for path in config.parent.iterdir()}
    assert left == {".device.yaml.before", "device.yaml", "package", "pictures"}


def test_what_takes_a_restart_is_told_and_a_password_belongs_elsewhere(config):
    with only_daemon_in(config.parent / "state"):
        assert "systemctl restart" in canopy("config", "set", "site", "south", "-c", config).stdout
        assert "canopy config apply" in canopy("config", "set", "inference.threads", "2", "-c", config).stdout
    refused = canopy("config", "set", "mqtt.password", "s3cret", "-c", config)
    assert (refused.exit_code, "CANOPY_MQTT_PASSWORD" in refused.stderr) == (2, True)
    assert "s3cret@" in config.read_text()


def test_show_tells_where_each_setting_comes_from_and_no_secret(config, monkeypatch):
    state = config.parent / "state"
    state.mkdir()
    (state / "wanted.json").write_text('{"wishes": {"inference.threads": 3}, "proven": {"inference.threads": 3}}')
    config.write_text(config.read_text().replace("mqtt: null", "mqtt: {host: broker}"))
    monkeypatch.setenv("CANOPY_MQTT_PASSWORD", "hush-hush")
    found = json.loads(canopy("config", "show", "--effective", "--json", "-c", config).stdout)
    assert {
        path: found[path]["from"] for path in ("site", "outbox.max_bytes", "inference.threads", "mqtt.password")
    } == {
        "site": "file",
        "outbox.max_bytes": "default",
        "inference.threads": "fleet",
        "mqtt.password": "environment",
    }
    shown = canopy("config", "show", "--effective", "-c", config).stdout + json.dumps(found)
    assert "hush" not in shown
    assert "s3cret" not in shown
    assert max(map(len, canopy("config", "show", "--effective", "-c", config).stdout.splitlines())) <= 80
    assert "outbox" not in canopy("config", "show", "-c", config).stdout


def test_diff_needs_something_that_ran(config):
    refused = canopy("config", "diff", "-c", config)
    assert (refused.exit_code, "nothing ran here" in refused.stderr) == (1, True)
