"""What the fleet may want of the settings, what becomes of it, and when it is dropped."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.records import EventKind
from edge.settings import DeviceSettings, RtspSource
from edge.settings.paths import is_fleets, leaves, of_fleet, with_wishes
from edge.wanted import MAX_STARTS, WANTED_FILE, WantedSettings, read_kept


def device(folder: Path = Path("/nowhere"), **more: object) -> DeviceSettings:
    return DeviceSettings.model_validate({
        "site": "gh",
        "device": "cam",
        "state_dir": folder,
        "inference": {"package": "package"},
        "cameras": [
            {"name": "top", "source": {"kind": "rtsp", "url": "rtsp://grower:s3cret@192.0.2.7/"}, "interval_s": 600},
            {"name": "side", "source": {"kind": "v4l2", "device": 0}, "max_fps": 2},
        ],
        **more,
    })  # fmt: skip


SETTINGS = device()


def test_only_what_is_listed_may_be_wanted_and_never_where_things_come_from_or_go_to():
    may = [path for path, _ in leaves(SETTINGS) if is_fleets(path)]
    assert {path.split(".", 2)[-1] for path in may if path.startswith("cameras")} >= {"interval_s", "max_fps"}
    for path in may:
        assert not {"source", "host", "port", "url", "path", "package", "state_dir", "password", "username"} & set(
            path.split(".")
        )


def test_wishes_that_depend_on_each_other_are_taken_in_any_order():
    wishes = {"cameras.top.max_fps": 2.0, "cameras.top.interval_s": None}
    for order in (wishes, dict(reversed(wishes.items()))):
        settings, taken, refused = with_wishes(SETTINGS, order)
        assert (settings.cameras[0].interval_s, settings.cameras[0].max_fps) == (None, 2.0)
        assert (taken, refused) == (wishes, {})


def test_what_excludes_each_other_is_refused_and_the_rest_is_taken():
    settings, taken, refused = with_wishes(SETTINGS, {"cameras.top.max_fps": 2.0, "inference.threads": 2})
    assert (taken, settings.inference.threads) == ({"inference.threads": 2}, 2)
    assert "exclude each other" in refused["cameras.top.max_fps"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cameras.door.interval_s", 60),
        ("cameras.top.interval_s", "often"),
        ("cameras.top.interval_s", -1),
        ("cameras.top.quality.nothing", 1),
        ("cameras.top.window.opens", "06:00"),
        ("update.bytes_per_s", 1000.0),
        ("cameras.top.source.url", "rtsp://evil/"),
        ("state_dir", "/etc"),
        ("mqtt.password", "x"),
        ("cameras", None),
        ("nothing", True),
    ],
)
def test_what_is_not_there_not_allowed_or_not_valid_is_refused_with_a_reason(path, value):
    settings, taken, refused = with_wishes(SETTINGS, {path: value})
    assert (settings, taken) == (SETTINGS, {})
    assert refused[path]
    assert "s3cret" not in refused[path]


@settings(deadline=None)
@given(
    wishes=st.dictionaries(
        st.sampled_from([path for path, _ in leaves(SETTINGS)] + ["cameras.top.quality", "x.y"]),
        st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(max_size=9),
        max_size=6,
    )
)
def test_whatever_is_wanted_the_whole_stays_valid_and_sources_and_secrets_stay_as_they_are(wishes):
    settings, taken, refused = with_wishes(SETTINGS, wishes)
    assert set(taken) | set(refused) == set(wishes)
    assert not set(taken) & set(refused)
    assert [camera.source for camera in settings.cameras] == [camera.source for camera in SETTINGS.cameras]
    source = settings.cameras[0].source
    assert isinstance(source, RtspSource)
    assert "s3cret" in source.url
    DeviceSettings.model_validate({name: getattr(settings, name) for name in DeviceSettings.model_fields})
    assert all(of_fleet(settings)[path] == value for path, value in taken.items())


WISH = {"inference.threads": 2}


class Watched:
    """The wanted settings of a daemon that may be started again; how often it was to begin anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begun_anew = 0
        self.start()

    def start(self) -> None:
        self.wanted = WantedSettings(device(self.folder), self._count)
        self.wanted.begin()

    def _count(self) -> None:
        self.begun_anew += 1

    @property
    def threads(self) -> int:
        return self.wanted.running.inference.threads


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_the_same_word_again_changes_nothing(watched):
    for _ in range(3):
        watched.wanted.hear(1, WISH)
    assert (watched.begun_anew, watched.threads, len(watched.wanted.untold())) == (1, 2, 1)
    watched.wanted.hear(2, WISH)
    assert (watched.begun_anew, watched.wanted.revision) == (1, 2)
    watched.wanted.hear(3, {})
    assert (watched.begun_anew, watched.threads) == (2, 1)


def test_a_wish_is_on_trial_until_a_picture_is_measured_with_it(watched):
    before = watched.wanted.running
    watched.wanted.hear(1, WISH)
    watched.wanted.prove(before)
    assert read_kept(watched.folder).proven == {}, "a picture of the former settings proves nothing"
    watched.wanted.prove(watched.wanted.running)
    assert read_kept(watched.folder).proven == WISH


def test_a_daemon_that_ends_with_it_again_and_again_drops_it_and_tells(watched):
    watched.wanted.hear(1, WISH)
    for _ in range(MAX_STARTS - 1):
        watched.start()
        assert watched.threads == 2
    watched.start()
    assert watched.threads == 1
    assert [kind for kind, *_ in watched.wanted.untold()] == [EventKind.SETTINGS_REFUSED]
    watched.wanted.hear(1, WISH)
    watched.wanted.hear(2, WISH)
    assert watched.threads == 1, "the fleet's retained word must not bring it back"
    assert "before it had measured" in watched.wanted.refused["inference.threads"]
    watched.wanted.hear(3, {"inference.threads": 3})
    assert watched.threads == 3


def test_stops_in_order_are_no_failures(watched):
    watched.wanted.hear(1, WISH)
    for _ in range(3 * MAX_STARTS):
        watched.wanted.stop()
        watched.start()
    assert watched.threads == 2


def test_what_was_proven_before_runs_again_when_a_later_wish_fails(watched):
    watched.wanted.hear(1, WISH)
    watched.wanted.prove(watched.wanted.running)
    watched.wanted.hear(2, {"inference.threads": 64, "mqtt.health_every_s": 5.0})
    assert watched.wanted.fail("cannot be begun with")
    assert (watched.threads, watched.wanted.running.mqtt.health_every_s) == (2, 30.0)
    assert not watched.wanted.fail("again")


def test_a_wish_that_the_changed_file_no_longer_allows_is_left_out_and_refused(watched):
    watched.wanted.hear(1, {"cameras.top.interval_s": 60, **WISH})
    renamed = device(watched.folder).model_dump()
    renamed["cameras"][0]["name"] = "left"
    watched.wanted.take_file(DeviceSettings.model_validate(renamed))
    assert watched.threads == 2
    assert "there is no camera top" in watched.wanted.refused["cameras.top.interval_s"]


def test_a_damaged_file_is_no_reason_not_to_start(tmp_path):
    for content in (b"{", b"[]", b"\xff" * 300_000, b'{"revision": -1}'):
        (tmp_path / WANTED_FILE).write_bytes(content)
        assert Watched(tmp_path).threads == 1


def test_a_run_over_files_hears_nothing(tmp_path):
    wanted = WantedSettings(device(tmp_path), lambda: pytest.fail("it was to begin anew"), heeds=False)
    wanted.begin()
    wanted.hear(1, WISH)
    assert wanted.running.inference.threads == 1
