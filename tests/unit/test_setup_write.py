"""The configuration that a setup writes says what was answered, whatever the answers are."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.settings import settings_of
from edge.setup.find import cameras, packages, source_of
from edge.setup.plots import plots_of
from edge.setup.write import Plan, written

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
TEXTS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\x85\u2028\u2029\ufeff"), min_size=1
)
OUTLINE = [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]
PLOTS = st.none() | st.just({"kind": "grid", "rows": 3, "columns": 6})
PLOTS |= st.dictionaries(NAMES, st.just(OUTLINE), min_size=1, max_size=4).map(
    lambda outlines: {"kind": "polygons", "outlines": outlines}
)


@settings(deadline=None)
@given(
    site=NAMES,
    device=NAMES,
    name=NAMES,
    folder=TEXTS,
    plots=PLOTS,
    interval_s=st.none() | st.floats(1, 86_400),
    mqtt=st.none() | st.just({"host": "broker", "port": 1884, "protocol": "3.1.1"}),
)
def test_what_is_written_is_read_as_it_was_meant(site, device, name, folder, plots, interval_s, mqtt):
    source = {"kind": "folder", "path": f"/srv/{folder}"}
    plan = Plan(site, device, Path(f"/var/{folder}"), Path("/opt/p: x"), name, source, interval_s, plots, mqtt)
    text = written(plan)
    tree = yaml.safe_load(text)
    assert (tree["site"], tree["device"], tree["state_dir"]) == (site, device, f"/var/{folder}")
    assert (tree["cameras"][0]["name"], tree["cameras"][0]["source"], tree["mqtt"]) == (name, source, mqtt)
    assert tree["cameras"][0].get("plots") == plots
    settings = settings_of(text, Path("/etc/canopy/device.yaml"))
    assert settings.cameras[0].interval_s == (None if interval_s is None else pytest.approx(interval_s, rel=1e-4))


@pytest.mark.parametrize(("words", "kind"), [("rtsp://a/b", "rtsp"), ("0", "v4l2"), ("/dev/v4l/by-id/x", "v4l2")])
def test_an_address_says_what_kind_of_source_it_is(words, kind):
    assert source_of(words)["kind"] == kind


def test_files_are_sources_where_they_are_there(tmp_path):
    (tmp_path / "clip.mp4").touch()
    assert source_of(str(tmp_path))["kind"] == "folder"
    assert source_of(str(tmp_path / "clip.mp4"))["kind"] == "video"
    for words in (str(tmp_path / "none"), "http://camera/", ""):
        with pytest.raises(ConfigError, match="no camera"):
            source_of(words)


def test_only_a_cameras_first_node_gives_pictures(tmp_path):
    for name in ("usb-A-video-index0", "usb-A-video-index1", "usb-B-video-index0"):
        (tmp_path / name).touch()
    assert [Path(path).name for path in cameras(tmp_path)] == ["usb-A-video-index0", "usb-B-video-index0"]
    assert cameras(tmp_path / "none") == []


def test_packages_are_found_by_their_manifests(tmp_path):
    (tmp_path / "rosette").mkdir()
    (tmp_path / "rosette" / "manifest.json").touch()
    (tmp_path / "other").mkdir()
    assert tmp_path.resolve() / "rosette" in packages(tmp_path)
    assert tmp_path.resolve() / "other" not in packages(tmp_path)


def test_plots_are_meant_in_few_words():
    assert plots_of("3 x 6", None) == {"kind": "grid", "rows": 3, "columns": 6}
    assert plots_of("whole", None) is None
    assert plots_of("found", {"kind": "x"}) == {"kind": "x"}
    for words in ("found", "0x3", "200x1", "three", "3x", "-1x2"):
        with pytest.raises(ConfigError):
            plots_of(words, None)
