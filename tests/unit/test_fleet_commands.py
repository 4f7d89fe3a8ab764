"""Commands against a real store: what they change, what they refuse, and that the log tells of each."""

import random
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.contract.control import Phase
from fleet import audit, registry
from fleet.errors import AuditBroken, NotFound, NotPossible, PlanError
from fleet.rollouts import commands, views
from fleet.rollouts.advance import advance
from fleet.rollouts.conductor import carry_on
from fleet.rollouts.plan import Plan, Selector, Wave
from fleet.rollouts.rollout import State
from fleet.rollouts.rows import open_rollouts, read_facts, read_rollout
from fleet.rollouts.trial import compare_arms
from fleet.store import Store
from tests.sim.models import package, zipped
from tests.sim.rollout_records import NEW, OLD, OTHER, confirm_earlier, filled, look, obey, readings, report, told

ALL_AT_ONCE = Plan(waves=(Wave(soak_s=0, min_executed=100),))
TWO_WAVES = Plan(waves=(Wave(percent=20, soak_s=0), Wave(soak_s=0)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield opened
    opened.close()


def create(store: Store, plan: Plan = ALL_AT_ONCE, *models: object, name: str = "r") -> None:
    with store.writing() as connection:
        commands.create(connection, models or [NEW.ref], plan, "ana", name)  # type: ignore[arg-type]


def steer(store: Store, state: State, name: str = "r") -> None:
    with store.writing() as connection:
        commands.steer(connection, name, state, "ana", "because")


def shown(store: Store, name: str = "r") -> views.Document:
    with store.reading() as connection:
        return views.rollout(connection, name)


def log(store: Store) -> list[tuple[str, str, str]]:
    with store.reading() as connection:
        return [(entry.who, entry.action, entry.subject) for entry in audit.entries(connection)]


# --- rollouts in the store


def test_a_rollout_goes_through_the_store_from_beginning_to_end(store: Store) -> None:
    create(filled(store), TWO_WAVES)
    for _ in range(4):
        look(store)
        obey(store)
    assert shown(store)["state"] == "done"
    assert shown(store)["counts"]["succeeded"] == 10
    with store.reading() as connection:
        assert open_rollouts(connection) == []


def test_what_is_read_back_is_what_was_written_at_every_step(store: Store) -> None:
    """So a service that is killed between two looks goes on as if nothing had been."""
    create(filled(store), TWO_WAVES)
    for _ in range(5):
        with store.writing() as connection:
            before, fleet, now = read_rollout(connection, "r"), read_facts(connection), datetime.now(timezone.utc)
            assert before
            expected = advance(before, fleet, now).rollout
            carry_on(connection, "r", now)
            assert read_rollout(connection, "r") == expected
        obey(store, "dev-03", "dev-04", "dev-05", "dev-06")
    assert shown(store)["state"] == "halted"
    assert all(desired.wanted and desired.wanted.model == OLD.ref for desired in told(store).values())


def test_each_revision_is_higher_than_what_the_device_has_seen(store: Store) -> None:
    filled(store, 1)
    report(store, "dev-00", active=OLD.ref, revision=41)  # of a store that was lost
    create(store)
    look(store)
    assert told(store)["dev-00"].revision == 42


def test_rolling_back_reaches_everybody_long_after_the_end(store: Store) -> None:
    create(filled(store))
    look(store)
    obey(store)
    look(store)
    assert shown(store)["state"] == "done"
    steer(store, State.ROLLED_BACK)
    assert shown(store)["says"] == "rolled back (because): 10 devices are still to go back"
    look(store)
    assert {desired.wanted.model.version for desired in told(store).values() if desired.wanted} == {"1.0.0"}
    obey(store)
    look(store)
    assert shown(store)["says"] == "rolled back (because): everybody told is back"


def test_a_device_that_a_later_rollout_took_is_not_sent_back_by_an_earlier_one(store: Store) -> None:
    create(filled(store, 2), name="first")
    look(store)
    obey(store)
    look(store)
    create(store, Plan(waves=(Wave(select=Selector(devices=("site/dev-01",)), soak_s=0),)), OTHER.ref, name="second")
    look(store)
    obey(store)
    look(store)
    steer(store, State.ROLLED_BACK, "first")
    look(store)
    versions = {device: desired.wanted.model.version for device, desired in told(store).items() if desired.wanted}
    assert versions == {"dev-00": "1.0.0", "dev-01": "1.2.0"}


def test_a_rollout_among_devices_of_another_that_goes_on_is_refused(store: Store) -> None:
    create(filled(store))
    with pytest.raises(NotPossible, match="are in rollout r, which goes on"):
        create(store, ALL_AT_ONCE, OTHER.ref, name="again")
    steer(store, State.ABORTED)
    create(store, ALL_AT_ONCE, OTHER.ref, name="again")


@pytest.mark.parametrize(
    ("do", "error", "says"),
    [
        (
            lambda store: create(store, Plan(waves=(Wave(),), select=Selector(sites=("nowhere",)))),
            NotPossible,
            "no dev",
        ),
        (lambda store: create(store, name="a b"), PlanError, "cannot name a rollout"),
        (lambda store: create(store, ALL_AT_ONCE, NEW.ref, NEW.ref), PlanError, "against itself"),
        (lambda store: steer(store, State.PAUSED, "nobody"), NotFound, "no rollout nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_trace(store: Store, do, error: type, says: str) -> None:
    before = log(filled(store))
    with pytest.raises(error, match=says):
        do(store)
    assert log(store) == before


def test_a_model_without_a_package_for_the_hardware_reaches_nobody(store: Store) -> None:
    filled(store)
    with store.writing() as connection, pytest.raises(NotPossible, match=r"no device would get rosette 1\.1\.0"):
        commands.create(connection, [NEW.ref], ALL_AT_ONCE, "ana", "r", {NEW.ref.digest: frozenset({"orin"})})
    with store.writing() as connection:
        made = commands.create(connection, [NEW.ref], ALL_AT_ONCE, "ana", "r", {NEW.ref.digest: frozenset({"cpu"})})
    assert len(made.participants) == 10


ALLOWED = {
    State.RUNNING: {State.PAUSED, State.ABORTED, State.ROLLED_BACK},
    State.PAUSED: {State.RUNNING, State.ABORTED, State.ROLLED_BACK},
    State.ABORTED: {State.ROLLED_BACK},
    State.ROLLED_BACK: set(),
}


@pytest.mark.parametrize("start", ALLOWED)
@pytest.mark.parametrize("goal", [State.RUNNING, State.PAUSED, State.ABORTED, State.ROLLED_BACK])
def test_every_step_from_every_state_is_taken_or_refused_with_the_state(
    store: Store, start: State, goal: State
) -> None:
    create(filled(store, 3))
    if start is not State.RUNNING:
        steer(store, start)
    if goal in ALLOWED[start]:
        steer(store, goal)
        assert shown(store)["state"] == goal.value
    else:
        with pytest.raises(NotPossible, match=start.value.replace("_", " ")):
            steer(store, goal)
        assert shown(store)["state"] == start.value


def test_a_halted_rollout_is_not_resumed(store: Store) -> None:
    create(filled(store), ALL_AT_ONCE)
    look(store)
    obey(store, *(f"dev-0{number}" for number in range(5)))
    look(store)
    with pytest.raises(NotPossible, match=r"5 of 10 devices failed.*create a new one"):
        steer(store, State.RUNNING)


def test_names_are_made_from_models_and_never_twice(store: Store) -> None:
    filled(store, 2)
    names = []
    for models in ([NEW.ref], [NEW.ref], [NEW.ref, OTHER.ref]):
        with store.writing() as connection:
            names.append(commands.create(connection, models, ALL_AT_ONCE, "ana").id)
        steer(store, State.ABORTED, names[-1])
    assert names == ["rosette-1.1.0", "rosette-1.1.0.2", "rosette-1.1.0-vs-1.2.0"]


def test_tags_select_devices(store: Store) -> None:
    filled(store)
    with store.writing() as connection:
        assert commands.tag(connection, "site/dev-03", ["canary", "crop=tomato"], [], "ana") == [
            "canary",
            "crop=tomato",
        ]
        assert commands.tag(connection, "site/dev-04", ["canary"], [], "ana") == ["canary"]
        assert commands.tag(connection, "site/dev-04", ["canary"], ["canary"], "ana") == []
    create(store, Plan(waves=(Wave(select=Selector(tags=("canary",))), Wave())))
    assert [one["device"] for one in shown(store)["devices"] if one["wave"] == 1] == ["site/dev-03"]
    for where, words, error in (
        ("site/none", ["a"], NotFound),
        ("dev-03", [], NotFound),
        ("site/dev-03", ["a b"], PlanError),
    ):
        with store.writing() as connection, pytest.raises(error):
            commands.tag(connection, where, words, [], "ana")


# --- the registry


def test_a_package_is_registered_from_its_zip_or_its_folder(store: Store, tmp_path: Path) -> None:
    found = registry.read_package(zipped(tmp_path, "2.0.0"))
    assert found == package("2.0.0")
    with store.writing() as connection:
        assert registry.register(connection, found, "ana")
        assert not registry.register(connection, found, "ana")
        assert registry.register(connection, found, "ana", ["orin"])
        assert registry.hardware_of(connection, found.ref) == {"orin"}
    assert registry.read_package(Path(__file__).parents[2] / "packages" / "rosette").manifest.name == "rosette"


def test_a_version_never_becomes_another_model(store: Store) -> None:
    with store.writing() as connection:
        registry.register(connection, NEW, "ana")
        forged = registry.Package(NEW.manifest, f"sha256:{1:064}")
        with pytest.raises(NotPossible, match="give it a new version"):
            registry.register(connection, forged, "eve")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 rubbish", b"{}"])
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(PlanError, match="is no model package"):
        registry.read_package(path)
    with pytest.raises(PlanError, match="is no model package"):
        registry.read_package(tmp_path / "nowhere")


def test_aliases_point_to_one_version_for_each_crop(store: Store) -> None:
    filled(store)
    with store.writing() as connection:
        assert registry.promote(connection, "tomato", "champion", OLD.ref, "ana") is None
        assert registry.promote(connection, "tomato", "champion", NEW.ref, "ana") == OLD.ref
        registry.promote(connection, "basil", "champion", OLD.ref, "ana")
        assert registry.find(connection, "tomato@champion") == NEW.ref
        assert registry.find(connection, "rosette-1.0.0") == registry.find(connection, "basil@champion") == OLD.ref
        for spoken in ("rosette-9.9.9", "tomato@candidate", "rosette", "@", "-"):
            with pytest.raises(NotFound):
                registry.find(connection, spoken)


def test_a_model_is_followed_from_its_data_set_to_its_readings(store: Store) -> None:
    create(filled(store))
    look(store)
    obey(store)
    look(store)
    since = datetime(2026, 6, 1, tzinfo=timezone.utc)
    readings(store, "dev-00", NEW.ref, [5, 6, 7], since)
    readings(store, "dev-01", NEW.ref, [5], since)
    with store.reading() as connection:
        found = registry.show(connection, NEW.ref)
    assert found["lineage"]["dataset"] == NEW.manifest.lineage.dataset
    assert found["lineage"]["run_id"] == NEW.manifest.lineage.run_id
    assert [(one["id"], one["confirmed"]) for one in found["rollouts"]] == [("r", 10)]
    assert found["devices"][:2] == ["site/dev-00", "site/dev-01"]
    assert (found["observations"]["count"], found["observations"]["devices"]) == (4, 2)


# --- A/B


def trial(store: Store, shift: float, count: int = 16) -> datetime:
    """Two versions on half of the devices each; B counts ``shift`` more. Returns when they had confirmed."""
    create(filled(store, count), ALL_AT_ONCE, NEW.ref, OTHER.ref)
    look(store)
    obey(store)
    look(store)
    since = datetime.now(timezone.utc) - timedelta(hours=5)
    confirm_earlier(store, since)
    rng = random.Random(4)
    for device, desired in told(store).items():
        model = desired.wanted.model
        level = rng.gauss(10, 0.5) + (shift if model == OTHER.ref else 0)
        readings(store, device, model, [rng.gauss(level, 0.1) for _ in range(50)], since)
    return since


@pytest.mark.parametrize(("shift", "differs"), [(0.0, False), (3.0, True)])
def test_two_versions_are_compared_by_their_devices_and_not_by_their_readings(
    store: Store, shift: float, differs: bool
) -> None:
    trial(store, shift)
    with store.reading() as connection:
        (found,) = compare_arms(connection, "r").traits
    assert found.difference
    assert found.difference.differs is differs
    assert found.difference.low < shift < found.difference.high
    assert (len(found.a.means), len(found.b.means), found.a.observations) == (8, 8, 400)


def test_readings_of_another_model_or_from_before_are_left_out(store: Store) -> None:
    since = trial(store, 0.0, count=2)
    with store.reading() as connection:
        later = compare_arms(connection, "r", since + timedelta(minutes=25, seconds=30))
        (found,) = later.traits
        assert (found.a.observations, found.b.observations) == (25, 25)
        assert found.difference
        assert found.difference.low is None  # one device against one
        assert compare_arms(connection, "r", since - timedelta(hours=1)).left_out == 2


def test_a_rollout_of_one_version_is_not_compared(store: Store) -> None:
    create(filled(store))
    with store.reading() as connection:
        with pytest.raises(NotPossible, match="has one version"):
            compare_arms(connection, "r")
        with pytest.raises(NotFound):
            compare_arms(connection, "nobody")


# --- the audit log


def test_every_change_is_in_the_log_with_who_and_what(store: Store) -> None:
    create(filled(store))
    steer(store, State.PAUSED)
    with store.writing() as connection:
        registry.promote(connection, "tomato", "champion", NEW.ref, "bo")
    assert log(store)[-3:] == [
        ("ana", "rollout create", "r: rosette 1.1.0"),
        ("ana", "rollout pause", "r"),
        ("bo", "model promote champion", "tomato: rosette 1.1.0"),
    ]
    with store.reading() as connection:
        assert audit.verify(connection) == len(log(store))


TAMPERING = [
    ("UPDATE audit SET who = 'nobody' WHERE seq = 3", "entry 3 of the audit log .* was altered"),
    ("UPDATE audit SET digest = NULL WHERE seq = 2", "entry 2 of the audit log .* was altered"),
    ("DELETE FROM audit WHERE seq = 2", "breaks before entry 3"),
    ("DELETE FROM audit WHERE seq = 1", "breaks before entry 2"),
    ("UPDATE audit SET seq = 99 WHERE seq = 4", "breaks before entry 99"),
]


@pytest.mark.parametrize(("statement", "says"), TAMPERING)
def test_tampering_is_found(store: Store, tmp_path: Path, statement: str, says: str) -> None:
    create(filled(store))
    connection = sqlite3.connect(tmp_path / "fleet.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()
    with store.reading() as reading, pytest.raises(AuditBroken, match=says):
        audit.verify(reading)


def test_a_log_whose_end_was_cut_off_lacks_the_head_that_was_noted(store: Store, tmp_path: Path) -> None:
    create(filled(store))
    with store.reading() as reading:
        head = audit.entries(reading)[-1].hash
        assert audit.verify(reading, head) == 4
    connection = sqlite3.connect(tmp_path / "fleet.sqlite")
    connection.execute("DELETE FROM audit WHERE seq = 4")
    connection.commit()
    connection.close()
    with store.reading() as reading:
        assert audit.verify(reading) == 3
        with pytest.raises(AuditBroken, match="its end was cut off"):
            audit.verify(reading, head)


def test_commands_of_several_processes_make_one_chain(store: Store, tmp_path: Path) -> None:
    def write(who: str) -> None:
        own = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
        for number in range(10):
            with own.writing() as connection:
                audit.record(connection, who, "count", str(number))
        own.close()

    writers = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    with store.reading() as connection:
        assert audit.verify(connection) == 40


def test_a_command_that_fails_leaves_no_entry(store: Store) -> None:
    filled(store)
    before = log(store)

    def fail() -> None:
        with store.writing() as connection:
            audit.record(connection, "ana", "something", "x")
            raise NotPossible("no")

    with pytest.raises(NotPossible):
        fail()
    assert log(store) == before


def test_a_report_that_comes_again_changes_nothing(store: Store) -> None:
    create(filled(store, 1))
    look(store)
    obey(store)
    for _ in range(3):
        look(store)
        report(store, "dev-00", active=NEW.ref, wanted=NEW.ref, revision=1, phase=Phase.CONFIRMED)
    assert (shown(store)["state"], told(store)["dev-00"].revision) == ("done", 1)
