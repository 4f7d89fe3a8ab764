"""Alerts are raised once, do not flap, reach people, and end."""

import http.server
import json
import threading
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from edge.contract.messages import Health, State
from edge.contract.records import EventKind
from fleet import audit
from fleet.alerts import book
from fleet.alerts.facts import facts
from fleet.alerts.notify import Notifier
from fleet.alerts.rules import Fact, Rule, RuleSettings, RulesSettings, Severity, Subject
from fleet.alerts.settings import AlertSettings
from fleet.alerts.standing import State as Standing
from fleet.alerts.standing import look
from fleet.alerts.watch import Watch
from fleet.cli import app
from fleet.drift.labels import Label, Said, say
from fleet.errors import ConfigError, NotFound, PlanError
from fleet.store import Store
from tests.sim.fleet_records import EPOCH, NOON, batch, event, gap, letter

HEAT = Subject(Rule.TEMPERATURE, "site", "dev")
RULES = RulesSettings(
    temperature=RuleSettings(raise_at=85, clear_below=78, raise_after_s=60, clear_after_s=120),
    offline=RuleSettings(raise_at=10, clear_below=1, severity=Severity.CRITICAL),
)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def walk(readings, subject=HEAT):
    """What each of the readings, one every 30 s, leads to."""
    known, raised, cleared = {}, [], []
    for index, value in enumerate(readings):
        found = look(known, [Fact(subject, value, f"{value} °C")] if value is not None else [], RULES, at(30 * index))
        known = found.alerts
        raised += [index] * len(found.raised)
        cleared += [index] * len(found.cleared)
    return known, raised, cleared


def test_a_value_must_stand_there_before_it_is_an_alert():
    assert walk([90, 70, 90, 70])[1] == []
    assert walk([90, 90, 90, 90])[1] == [2]


def test_between_the_thresholds_an_alert_stays_what_it_was():
    known, raised, cleared = walk([90, 90, 90, 80, 80, 80, 80, 80, 80])
    assert (raised, cleared) == ([2], [])
    assert known[HEAT].state is Standing.FIRING


def test_it_is_over_when_the_value_has_stayed_low():
    assert walk([90, 90, 90, 70, 70, 90, 70, 70, 70, 70, 70])[1:] == ([2], [10])


def test_a_subject_of_which_nothing_is_known_any_more_is_over():
    assert walk([90, 90, 90, None])[1:] == ([2], [3])


@given(st.lists(st.floats(60, 100), max_size=200))
def test_every_alert_begins_before_it_ends_and_none_begins_twice(readings):
    _, raised, cleared = walk(readings)
    story = sorted([(index, "raised") for index in raised] + [(index, "cleared") for index in cleared])
    assert all(word == ("raised", "cleared")[order % 2] for order, (_, word) in enumerate(story))


@given(st.lists(st.floats(78, 84.9), max_size=100))
def test_no_alert_begins_below_its_threshold(readings):
    assert walk(readings)[1:] == ([], [])


def test_a_rule_that_would_flap_is_refused():
    with pytest.raises(ValidationError, match="would flap"):
        RuleSettings(raise_at=1, clear_below=2)


@pytest.fixture
def store(tmp_path):
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


def known(store, now):
    with store.reading() as connection:
        return {fact.subject: fact for fact in facts(connection, now)}


def online(store, **health):
    state = State(online=True, boot_id="boot", at=NOON)
    told = Health(at=NOON, boot_id="boot", epoch=EPOCH, last_seq=0, watermark=0, **health)
    store.commit([letter(state), letter(told)])
    return datetime.now(timezone.utc)


def test_a_device_tells_of_its_disk_and_heat_while_it_is_there(store):
    now = online(store, disk_free_bytes=500_000_000, temperatures_c={"cpu": 91.0, "gpu": 70.0})
    found = known(store, now + timedelta(minutes=12))
    assert found[Subject(Rule.OFFLINE, "site", "dev")].value == pytest.approx(12, abs=0.1)
    assert found[Subject(Rule.DISK, "site", "dev")].value == -0.5
    assert found[HEAT].told == "cpu has 91 °C"
    store.forget_presence()
    assert set(known(store, now)) == {Subject(Rule.OFFLINE, "site", "dev")}


def test_records_that_are_missing_or_dropped_are_a_fact(store):
    store.commit([letter(batch([1, 2, 6])), letter(gap(4, 4))])
    assert known(store, NOON + timedelta(hours=1))[Subject(Rule.GAP, "site", "dev")].value == 3


def test_a_camera_that_has_changed_is_a_fact(store):
    store.commit([letter(event(1, EventKind.DRIFT))])
    assert known(store, datetime.now(timezone.utc))[Subject(Rule.DRIFT, "site", "dev", "cam")].value == 1


@pytest.mark.parametrize(
    ("said", "camera", "stays"),
    [
        (Said.LENS_CLEANED, "cam", False),
        (Said.LENS_CLEANED, None, False),
        (Said.PESTS, "cam", True),
        (Said.FAULT, "cam", True),
    ],
)
def test_a_change_that_a_person_explained_is_no_fact(store, said, camera, stays):
    store.commit([letter(batch([1])), letter(event(2, EventKind.DRIFT))])
    word = Label("site", camera and "dev", camera, said, NOON - timedelta(days=1), None, "", "ana", NOON)
    with store.writing() as connection:
        say(connection, word)
    found = known(store, datetime.now(timezone.utc))
    assert (Subject(Rule.DRIFT, "site", "dev", "cam") in found) is stays


class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def webhook():
    server = http.server.HTTPServer(("127.0.0.1", 0), Webhook)
    server.heard, server.answer = [], 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def watching(store, webhook, **changes):
    port = webhook.server_address[1]
    settings = AlertSettings(rules=RULES, notify=(SecretStr(f"json://127.0.0.1:{port}/hook"),), **changes)
    return Watch(store, settings, lambda: True, settle_s=0)


def turn(watch, now):
    watch.look(now)
    watch.tell(now)


def test_people_are_told_once_when_it_begins_and_once_when_it_is_over(store, webhook):
    watch, now = watching(store, webhook, page="https://fleet.example/"), online(store)
    for minutes in (11, 12, 13):
        turn(watch, now + timedelta(minutes=minutes))
    assert [told["title"] for told in webhook.heard] == ["Canopy: site/dev offline"]
    assert "! site/dev: not heard of for" in webhook.heard[0]["message"]
    assert "https://fleet.example/" in webhook.heard[0]["message"]
    back = online(store)
    for minutes in (0, 2, 3):
        turn(watch, back + timedelta(minutes=minutes) if minutes else back)
    assert len(webhook.heard) == 2
    assert webhook.heard[1]["message"].startswith("over: site/dev offline")
    with store.reading() as connection:
        assert [each.subject.rule for each in book.past(connection)] == [Rule.OFFLINE]


def test_many_at_once_are_one_message(store, webhook):
    for number in range(60):
        store.commit([letter(batch([1]), device=f"dev-{number}")])
    turn(watching(store, webhook), datetime.now(timezone.utc) + timedelta(minutes=20))
    assert len(webhook.heard) == 1
    assert webhook.heard[0]["title"] == "Canopy: alerts, 60 new"
    assert "and 20 more" in webhook.heard[0]["message"]


def test_who_cannot_be_reached_is_tried_again(store, webhook):
    from fleet.errors import FleetError

    watch, now, webhook.answer = watching(store, webhook), online(store), 500
    with pytest.raises(FleetError, match="trying again"):
        turn(watch, now + timedelta(minutes=11))
    webhook.answer = 200
    turn(watch, now + timedelta(minutes=12))
    assert len(webhook.heard) == 2
    assert webhook.heard[0]["title"] == webhook.heard[1]["title"]


def test_a_silence_keeps_quiet_while_it_holds_and_is_in_the_audit_log(store, webhook):
    watch, now = watching(store, webhook), online(store)
    with store.writing() as connection:
        book.silence(connection, book.Silence(now + timedelta(minutes=30), "workshop", "ana", site="site"), now)
        assert audit.entries(connection)[-1].action == "alerts silence"
    turn(watch, now + timedelta(minutes=11))
    assert webhook.heard == []
    turn(watch, now + timedelta(minutes=31))
    assert len(webhook.heard) == 1, "what still fires when the silence ends is told"


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"until": NOON - timedelta(hours=1)}, PlanError),
        ({"until": NOON + timedelta(days=91)}, PlanError),
        ({"until": NOON + timedelta(hours=1), "site": "site", "device": "unheard"}, NotFound),
    ],
)
def test_a_silence_that_is_none_is_refused(store, wanted, error):
    with pytest.raises(error), store.writing() as connection:
        book.silence(connection, book.Silence(**{"why": "", "who": "ana", **wanted}), NOON)


def test_an_address_that_is_none_is_named_by_its_kind_alone():
    with pytest.raises(ConfigError, match="kind 'carrierpigeon'") as caught:
        Notifier([SecretStr("carrierpigeon://user:secret@roof")])
    assert "secret" not in str(caught.value)


def test_alerts_outlive_the_service(store, webhook):
    now = online(store)
    turn(watching(store, webhook), now + timedelta(minutes=11))
    turn(watching(store, webhook), now + timedelta(minutes=12))
    assert len(webhook.heard) == 1


def test_the_command_line_lists_silences_and_says_what_is_wrong(tmp_path, webhook, monkeypatch):
    config = tmp_path / "fleet.yaml"
    config.write_text(f"state_dir: {tmp_path}\n")
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    now = online(opened)
    turn(watching(opened, webhook), now + timedelta(minutes=11))
    opened.close()

    def run(*arguments):
        return CliRunner().invoke(app, ["alerts", *arguments, "--config", str(config)])

    (told,) = json.loads(run("list", "--json").stdout)
    assert told["subject"]["rule"] == "offline"
    assert run("silence", "site/dev", "--hours", "2", "--why", "workshop").exit_code == 0
    assert "silenced until" in run("list").stdout.replace("\n", " ")
    assert run("silence", "site/unheard", "--hours", "2", "--why", "x").exit_code == 3
    assert run("silence", "site", "--hours", "2", "--why", "x", "--rule", "boredom").exit_code == 2
    assert run("past", "--json").stdout.strip() == "[]"
    assert run("test").exit_code == 2
    monkeypatch.setenv("CANOPY_NOTIFY", f"json://127.0.0.1:{webhook.server_address[1]}/hook")
    assert run("test").exit_code == 0
    assert webhook.heard[-1]["title"] == "Canopy: a test"
