"""A person's word on a camera reaches a real device through a real Mosquitto, also if it was away, and counts once."""

from datetime import datetime, timezone
from pathlib import Path

import pytest

from edge.contract.commands import CommandKind
from edge.contract.messages import Info, State
from edge.drift.memory import Memory
from fleet import audit
from fleet.drift.labels import Label, Said, labels_since, say
from fleet.ingest.intake import Letter
from tests.faults.test_commands import Bench, FleetEnd, body
from tests.faults.test_fleet_live import Live, served
from tests.sim.fleet_drift import drift, window
from tests.sim.mosquitto import Mosquitto
from tests.sim.spine import wait_for

WITHIN_S = 40.0


def spoken(live: Live, camera: str = "top") -> Label:
    now = datetime.now(timezone.utc)
    word = Label("gh", "cam", camera, Said.LENS_CLEANED, now, None, "wiped", "ana", now)
    with live.store.writing() as connection:
        return say(connection, word)


def learned(live: Live) -> int:
    with live.store.reading() as connection:
        return labels_since(connection, datetime.now(timezone.utc))[-1].learned


def arrived(live: Live, *, online: bool) -> None:
    """As ingest files it."""
    now = datetime.now(timezone.utc)
    info = Info(boot_id="b", software="s", hardware="h", python="3", cameras=("top",))
    live.store.commit([Letter("gh", "cam", each) for each in (info, State(online=online, boot_id="b", at=now))])


def test_a_device_that_was_away_learns_anew_once_it_is_back(tmp_path: Path, mosquitto: Mosquitto) -> None:
    bench, memory = Bench(tmp_path, mosquitto.port), tmp_path / "state" / "drift" / "top.npz"
    with served(mosquitto, tmp_path, embedded=False) as live:
        live.store.commit([Letter("gh", "cam", drift(window(0, camera="top")))])
        arrived(live, online=False)
        assert spoken(live).learning == 1
        bench.start()
        try:
            wait_for(memory.exists, WITHIN_S)
            assert Memory.load(memory).notes.forgot_for == ""
            arrived(live, online=True)
            wait_for(lambda: learned(live) == 1, WITHIN_S)
            with live.store.reading() as connection:
                assert [each.action for each in audit.entries(connection)] == ["drift.label", "drift.relearn"]
        finally:
            bench.stop()
    assert len(Memory.load(memory).notes.forgot_for) == 32


@pytest.mark.parametrize("restarts", [False, True])
def test_a_command_that_comes_twice_forgets_once(tmp_path: Path, mosquitto: Mosquitto, *, restarts: bool) -> None:
    bench, memory = Bench(tmp_path, mosquitto.port), tmp_path / "state" / "drift" / "top.npz"
    fleet = FleetEnd(mosquitto.port)
    try:
        bench.start()
        wait_for(memory.exists, WITHIN_S)
        first = fleet.answer(fleet.command(kind=CommandKind.RELEARN, camera="top"))
        assert b"begins anew" in body(first)
        if restarts:
            bench.stop()
            before = len(fleet.batches)
            bench.start()
            wait_for(lambda: len(fleet.batches) > before, WITHIN_S)
        fleet.command(id=first.id, kind=CommandKind.RELEARN, camera="top")
        wait_for(lambda: len(fleet.answers) == 2, WITHIN_S)
        assert (fleet.answers[1] == first) is not restarts, (
            "a device that has forgotten its answers looks at its memory"
        )
        assert fleet.answers[1].ok
        refused = fleet.answer(fleet.command(kind=CommandKind.RELEARN, camera="door"))
        assert (refused.ok, "watched: top" in refused.reason) == (False, True)
    finally:
        bench.stop()
        fleet.close()
    assert Memory.load(memory).notes.forgot_for == first.id
