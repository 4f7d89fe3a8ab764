"""What a person says of a change is told to the devices that must learn anew, until they have done so."""

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from edge.contract.commands import Command, CommandKind, Response
from edge.drift.watch import DriftWatch
from edge.errands import Errands
from edge.errors import CaptureError
from edge.settings import DriftSettings
from fleet import audit, schema
from fleet.drift import relearn
from fleet.drift.labels import Label, Said, labels_since, say
from fleet.pages.drift import draw
from fleet.store import Store
from tests.sim.fleet_drift import drift, window
from tests.sim.fleet_records import letter
from tests.unit.test_drift_watch import captures, run
from tests.unit.test_fleet_rollout_web import served

NOW = datetime(2026, 6, 2, 9, tzinfo=timezone.utc)
WORDS = {Said.LENS_CLEANED, Said.CAMERA_MOVED, Said.LAMP_CHANGED, Said.NEW_VARIETY, Said.NEW_CROP}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'fleet.sqlite'}")
    opened.commit([letter(drift(window(0), window(0, camera="b"))), letter(drift(window(0)), device="dev-2")])
    online(opened, True)
    yield opened
    opened.close()


def online(store: Store, is_so: bool, device: str | None = None) -> None:
    table = schema.devices
    with store.writing() as connection:
        which = table.c.device == device if device else table.c.device.is_not(None)
        connection.execute(update(table).where(which).values(online=is_so))


def label(said: Said = Said.LENS_CLEANED, **changes: Any) -> Label:
    known = {"site": "site", "device": "dev", "camera": "cam", "since": NOW, "until": None, "note": "", "who": "ana"}
    return Label(said=said, said_at=NOW, **(known | changes))


def spoken(store: Store, word: Label) -> int:
    with store.writing() as connection:
        return say(connection, word).learning


def told(store: Store, now: datetime = NOW) -> list[Command]:
    with store.writing() as connection:
        return [command for _, command in relearn.due(connection, now)]


def answer(store: Store, command: Command, *, ok: bool = True, device: str = "dev", now: datetime = NOW) -> None:
    body = base64.b64encode(b"begins anew").decode() if ok else ""
    said = Response(id=command.id, kind=command.kind, at=now, ok=ok, body=body, reason="" if ok else "the disk is full")
    with store.writing() as connection:
        relearn.answered(connection, "site", device, said, now)


@pytest.mark.parametrize("said", list(Said))
def test_words_after_which_nothing_comes_back_are_told_and_the_others_are_not(store: Store, said: Said) -> None:
    assert spoken(store, label(said)) == (said in WORDS)
    assert [(one.kind, one.camera) for one in told(store)] == [(CommandKind.RELEARN, "cam")] * (said in WORDS)


def test_nobody_is_told_where_a_person_does_not_wish_it_or_it_is_long_ago(store: Store) -> None:
    assert spoken(store, label(learn_anew=False)) == 0
    assert spoken(store, label(since=NOW - relearn.WITHIN)) == 0, "the device has followed by itself"
    assert told(store) == []


def test_a_whole_site_is_every_camera_of_it_that_is_watched(store: Store) -> None:
    with store.writing() as connection:
        device_id = connection.execute(schema.devices.select()).first().id  # type: ignore[union-attr]
        connection.execute(schema.cameras.insert().values(device_id=device_id, name="never-watched"))
    assert spoken(store, label(device=None, camera=None)) == 3
    assert sorted(one.camera or "" for one in told(store)) == ["b", "cam", "cam"]


def test_a_word_of_the_future_is_told_when_its_time_has_come(store: Store) -> None:
    spoken(store, label(since=NOW + timedelta(days=1)))
    assert told(store) == []
    assert len(told(store, NOW + timedelta(days=1))) == 1


def test_a_device_that_is_away_is_told_when_it_is_back_and_not_after_a_fortnight(store: Store) -> None:
    online(store, False)
    spoken(store, label())
    assert told(store, NOW + timedelta(days=3)) == []
    online(store, True)
    assert len(told(store, NOW + timedelta(days=3))) == 1
    assert told(store, NOW + relearn.WITHIN) == []


def test_what_is_not_answered_is_told_again_under_its_name_and_what_is_done_is_not(store: Store) -> None:
    spoken(store, label())
    (first,) = told(store)
    assert told(store) == []
    (again,) = told(store, NOW + relearn.UNANSWERED_AGAIN)
    assert (again.id, again.expires_at > first.expires_at) == (first.id, True)
    answer(store, again)
    answer(store, again)
    assert told(store, NOW + timedelta(days=1)) == []
    with store.reading() as connection:
        (kept,) = labels_since(connection, NOW)
        entries = [(one.who, one.action, one.subject) for one in audit.entries(connection)]
    assert (kept.learning, kept.learned) == (1, 1)
    assert entries == [("ana", "drift.label", "site/dev/cam"), ("ana", "drift.relearn", "site/dev/cam")]


def test_what_is_refused_is_told_later_under_another_name(store: Store) -> None:
    spoken(store, label())
    (first,) = told(store)
    answer(store, first, ok=False)
    assert told(store, NOW + relearn.UNANSWERED_AGAIN) == []
    (again,) = told(store, NOW + relearn.REFUSED_AGAIN)
    assert again.id != first.id, "a device answers a name that it knows as before"


def test_the_answer_of_another_device_is_none(store: Store) -> None:
    spoken(store, label())
    (command,) = told(store)
    answer(store, command, device="dev-2")
    with store.reading() as connection:
        assert labels_since(connection, NOW)[0].learned == 0


def test_a_device_forgets_what_the_named_camera_showed_and_no_other(tmp_path: Path) -> None:
    watches = {name: DriftWatch(name, DriftSettings(), tmp_path, lambda _: None) for name in ("top", "side")}
    for watch in watches.values():
        run(watch, captures(8))
    errands = Errands(SimpleNamespace(), None, None, None, drift=watches)  # type: ignore[arg-type]
    command = Command(id="a" * 32, kind=CommandKind.RELEARN, expires_at=NOW, camera="top")
    assert b"begins anew" in errands.carry_out(command).content
    assert b"already" in errands.carry_out(command).content
    forgotten = {name: bool(np.isnan(watch._memory.recent.values).all()) for name, watch in watches.items()}
    assert forgotten == {"top": True, "side": False}
    with pytest.raises(CaptureError, match="watched: top, side"):
        errands.carry_out(command.model_copy(update={"camera": "elsewhere"}))


def test_the_api_and_the_page_say_how_many_have_begun(store: Store) -> None:
    saying = {"site": "site", "said": "lamp_changed", "since": datetime.now(timezone.utc).isoformat()}
    with served(store) as client:
        made = client.post("/api/v1/drift/labels", json=saying).json()
        kept = client.post("/api/v1/drift/labels", json=saying | {"learn_anew": False}).json()
        assert (made["learning"], made["learned"], kept["learning"]) == (3, 0, 0)
        listed = client.get("/api/v1/drift/labels").json()["items"]
        assert [one["learning"] for one in listed] == [0, 3]
    with store.reading() as connection:
        assert "0 of 3 cameras learn anew so far" in draw(connection, None, None, receiving=True)
