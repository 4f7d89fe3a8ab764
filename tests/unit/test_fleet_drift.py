"""The fleet files drift windows once, sums them exactly, and lets people say what a change was."""

from datetime import timedelta

import pytest

from edge.contract.drift import merged
from edge.drift.reference import digest_of
from fleet import audit
from fleet.drift.heat import heat_map
from fleet.drift.labels import Label, Said, labels_since, say
from fleet.drift.windows import Where, filed, summed
from fleet.errors import NotFound, PlanError
from fleet.ingest.ledger import Watermark
from fleet.store import Store
from tests.sim.fleet_drift import NOON, REFERENCE, drift, window
from tests.sim.fleet_records import EPOCH, batch, letter

ALL = Where()


@pytest.fixture
def store(tmp_path):
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


def read(store, where=ALL):
    with store.reading() as connection:
        return filed(connection, where)


def test_windows_are_records_of_the_stream_filed_once_and_acknowledged(store):
    sent = drift(window(0), window(1), first=3)
    assert store.commit([letter(batch([1, 2])), letter(sent), letter(sent)]) == [Watermark("site", "dev", EPOCH, 4)]
    assert store.commit([letter(sent)]) == [Watermark("site", "dev", EPOCH, 4)]
    assert [each.window for each in read(store)] == [entry.record for entry in sent.items]


def test_merged_parts_are_the_whole_over_cameras_devices_sites_and_days(store):
    windows = [window(day, camera=camera, value=float(day)) for day in range(6) for camera in ("cam", "other")]
    for site in ("north", "south"):
        store.commit([letter(drift(*windows), site=site), letter(drift(*windows), site=site, device="dev-2")])
    everything = read(store)
    assert len(everything) == 48
    whole = summed(everything, lambda _: "all")[("all", digest_of(REFERENCE))]
    for by in (
        lambda each: each.camera,
        lambda each: each.site,
        lambda each: each.day,
        lambda each: each.window.model,
        lambda each: (each.device, each.day),
    ):
        assert merged(summed(everything, by).values()).captures == whole.captures == 48
        assert merged(summed(everything, by).values()).histograms == whole.histograms


def test_windows_of_two_references_are_kept_apart(store):
    store.commit([letter(drift(window(0), window(0, reference=f"sha256:{9:064}")))])
    assert len(summed(read(store), lambda _: "all")) == 2


def test_a_selection_is_by_place_and_time(store):
    store.commit([letter(drift(window(0), window(1, camera="other"), window(2)))])
    assert [each.window.camera for each in read(store, Where(camera="other"))] == ["other"]
    assert len(read(store, Where(site="elsewhere"))) == 0
    assert len(read(store, Where(since=NOON + timedelta(days=1), until=NOON + timedelta(days=2)))) == 1


def test_a_window_of_another_camera_than_its_topic_is_no_letter():
    from fleet.ingest.intake import Reject
    from fleet.ingest.intake import read as read_message

    topic = "canopy/v1/site/dev/drift/elsewhere"
    assert isinstance(read_message(topic, drift(window(0)).encode()), Reject)


def test_the_heat_map_names_what_moved_and_judges_a_days_cameras_together(store):
    windows = [window(0, camera=f"cam-{n}", evidence=30.0) for n in range(40)]
    store.commit([letter(drift(*windows, window(1, evidence=25.0, alarms=("mean_grey",)), window(2)))])
    cells = heat_map(read(store), [])
    assert {cell.state for cell in cells if cell.day == NOON.date()} == {"alarm"}, "forty at once are no chance"
    assert [(cell.state, cell.statistic) for cell in cells[40:]] == [("alarm", "mean_grey"), ("quiet", "mean_grey")]


def test_one_camera_of_forty_with_some_evidence_is_only_watched(store):
    windows = [window(0, camera=f"cam-{n}", evidence=30.0 if n == 3 else 0.0) for n in range(40)]
    store.commit([letter(drift(*windows))])
    assert [cell.state for cell in heat_map(read(store), []) if cell.evidence] == ["watch"]


def label(**changes):
    known = {
        "site": "site", "device": "dev", "camera": "cam", "said": Said.LENS_CLEANED, "since": NOON - timedelta(days=1),
        "until": NOON + timedelta(days=1), "note": "wiped", "who": "ana", "said_at": NOON,
    }  # fmt: skip
    return Label(**(known | changes))


def test_a_label_is_kept_silences_its_time_and_stands_in_the_audit_log(store):
    store.commit([letter(drift(window(0, alarms=("mean_grey",)), window(3, alarms=("mean_grey",))))])
    with store.writing() as connection:
        say(connection, label())
    with store.reading() as connection:
        labels = labels_since(connection, NOON - timedelta(days=30))
        assert labels == [label()]
        assert audit.entries(connection)[-1].action == "drift.label"
    assert [cell.state for cell in heat_map(read(store), labels)] == ["labelled", "alarm"]


@pytest.mark.parametrize("said", [Said.PESTS, Said.FAULT])
def test_pests_and_faults_are_named_and_stay_alarms(store, said):
    store.commit([letter(drift(window(0, alarms=("mean_grey",))))])
    (cell,) = heat_map(read(store), [label(said=said)])
    assert (cell.state, cell.label) == ("alarm", said)


def test_a_label_of_a_site_speaks_of_all_of_its_cameras_and_of_no_other(store):
    whole = label(device=None, camera=None, until=None)
    assert whole.covers(("site", "any", "thing"), NOON)
    assert not whole.covers(("other", "any", "thing"), NOON)
    assert not whole.covers(("site", "any", "thing"), NOON - timedelta(days=2))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"camera": "unheard"}, NotFound),
        ({"until": NOON - timedelta(days=9)}, PlanError),
        ({"note": "x" * 1001}, PlanError),
    ],
)
def test_a_label_that_is_none_is_refused(store, wrong, error):
    store.commit([letter(drift(window(0)))])
    with pytest.raises(error), store.writing() as connection:
        say(connection, label(**wrong))
    with store.reading() as connection:
        assert labels_since(connection, NOON - timedelta(days=30)) == []


def test_what_a_gap_told_dropped_and_arrived_all_the_same_is_not_missing(store):
    from tests.sim.fleet_records import gap

    store.commit([letter(batch([1])), letter(gap(2, 3)), letter(drift(window(0), first=2))])
    from fleet.questions import views

    with store.reading() as connection:
        (account,) = views.stream_accounts(connection, views.find_device(connection, "site", "dev")["id"])
    assert (account.missing, account.dropped) == (0, 1)
