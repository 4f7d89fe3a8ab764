"""Settings that the fleet wants, beside what rollouts want: two writers of one message that do not undo each other."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edge.contract.control import Desired, Phase, Reported, Wanted
from fleet import audit
from fleet.errors import NotFound, PlanError
from fleet.rollouts import commands
from fleet.rollouts.plan import Plan
from fleet.rollouts.wishes import Changes, again, settle, untold, wish
from fleet.store import Store
from tests.sim.rollout_records import NEW, OLD, filled, look, obey, said, told
from tests.sim.rollout_records import report as reports

DEVICE = "dev-00"
WANTED = Wanted(model=NEW.ref, target="cpu/rosette-1.1.0.zip", rollout="r", retry=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    yield filled(opened, count=2)
    opened.close()


def want(store: Store, changes: Changes, device: str = DEVICE) -> None:
    with store.writing() as connection:
        wish(connection, "site", device, changes, "ana", datetime.now(timezone.utc))


def settled(store: Store) -> dict[str, Desired]:
    with store.writing() as connection:
        return dict(settle(connection, datetime.now(timezone.utc)))


def test_what_is_wanted_is_told_once_and_is_in_the_audit_log(store: Store) -> None:
    want(store, {"cameras.top.interval_s": [60], "updates.auto": [False]})
    sent = settled(store)
    assert sent == {
        f"site/{DEVICE}": Desired(revision=1, settings={"cameras.top.interval_s": 60, "updates.auto": False})
    }
    assert settled(store) == {}
    with store.reading() as connection:
        assert not untold(connection)
        assert [entry.action for entry in audit.entries(connection)][-1] == "device settings"


def test_a_wish_taken_back_leaves_the_device_to_its_own_file(store: Store) -> None:
    want(store, {"a.b": [1], "a.c": [2]})
    settled(store)
    want(store, {"a.b": []})
    assert settled(store)[f"site/{DEVICE}"] == Desired(revision=2, settings={"a.c": 2})


def test_a_rollout_says_the_settings_with_its_own_wish_and_goes_above_them(store: Store) -> None:
    want(store, {"a.b": [1]})
    settled(store)
    with store.writing() as connection:
        commands.create(connection, [NEW.ref], Plan.model_validate({"waves": [{"soak_s": 0}]}), "ana", "r")
    look(store)
    order = told(store)[DEVICE]
    assert (order.revision, order.settings, order.wanted and order.wanted.model) == (2, {"a.b": 1}, NEW.ref)


def test_settings_wait_while_a_rollout_is_under_way_on_the_device_and_keep_what_it_brought(store: Store) -> None:
    with store.writing() as connection:
        commands.create(connection, [NEW.ref], Plan.model_validate({"waves": [{"soak_s": 0}]}), "ana", "r")
    look(store)
    want(store, {"a.b": [1]})
    assert settled(store) == {}
    obey(store)
    sent = settled(store)[f"site/{DEVICE}"]
    assert (sent.revision, sent.settings, sent.wanted and sent.wanted.model) == (2, {"a.b": 1}, NEW.ref)
    look(store)
    with store.reading() as connection:
        from fleet.rollouts.views import rollout

        standing = {one["device"]: one["standing"] for one in rollout(connection, "r")["devices"]}
    assert standing[f"site/{DEVICE}"] == "succeeded"


def test_the_revision_goes_above_what_the_device_has_answered(store: Store) -> None:
    reports(store, DEVICE, active=OLD.ref, revision=41)
    want(store, {"a.b": [1]})
    assert settled(store)[f"site/{DEVICE}"].revision == 42


@pytest.mark.parametrize(
    ("told_before", "report", "open_rollout", "expected"),
    [
        (Desired(revision=3), None, False, "same"),
        (Desired(revision=3, wanted=WANTED), None, True, "waits"),
        (Desired(revision=3, wanted=WANTED), said(active=OLD.ref, revision=2), True, "waits"),
        (Desired(revision=3, wanted=WANTED), said(active=OLD.ref, revision=3, phase=Phase.TESTING), True, "waits"),
        (Desired(revision=3, wanted=WANTED), said(active=NEW.ref, revision=3, phase=Phase.CONFIRMED), True, "same"),
        (Desired(revision=3, wanted=WANTED), said(active=OLD.ref, revision=3, phase=Phase.ROLLED_BACK), True, "waits"),
        (
            Desired(revision=3, wanted=WANTED),
            said(active=OLD.ref, revision=3, phase=Phase.ROLLED_BACK),
            False,
            "without",
        ),
        (Desired(revision=3, roll_back=True), said(active=OLD.ref, revision=3), True, "waits"),
        (Desired(revision=3, roll_back=True), said(active=OLD.ref, revision=3), False, "without"),
    ],
)
def test_no_order_is_given_twice(
    told_before: Desired, report: Reported | None, open_rollout: bool, expected: str
) -> None:
    found = again(told_before, report, open_rollout=open_rollout)
    assert found == {"same": told_before, "waits": None, "without": Desired(revision=3)}[expected]


@pytest.mark.parametrize(
    "changes",
    [
        {"../etc": [1]},
        {"a b": [1]},
        {"a.b": ["x" * 257]},
        {"a.b": [float("inf")]},
        {f"a.s{number}": [1] for number in range(65)},
    ],
)
def test_what_is_no_setting_is_refused_and_changes_nothing(store: Store, changes: Changes) -> None:
    with pytest.raises(PlanError):
        want(store, changes)
    with store.reading() as connection:
        assert not untold(connection)


def test_a_device_that_nobody_heard_of_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        want(store, {"a.b": [1]}, "nobody")
