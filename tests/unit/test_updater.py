"""One device and a real repository: what is taken up, what is refused, and that the device goes on with what it had."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.contract.control import Failure, Phase
from edge.contract.records import EventKind
from edge.update import steps
from edge.update.request import Request, ask, hold
from edge.update.slots import Slot
from tests.sim.fleet_repository import HARDWARE
from tests.sim.http import serve
from tests.sim.pictures import soil
from tests.sim.releases import OTHER_HARDWARE, Releases, wanted_of
from tests.sim.spine import wait_for
from tests.sim.updating import ENDS_WITHIN_S, UpdatingDevice, device_settings
from tests.sim.versions import Flaw, build_version


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def factory(world: Path) -> Path:
    return build_version(world / "factory", "0.0.1")


@pytest.fixture(scope="module")
def releases(world: Path) -> Releases:
    return Releases(world)


@pytest.fixture(scope="module")
def url(releases: Releases) -> Iterator[str]:
    with serve(releases.public) as address:
        yield address


@pytest.fixture(scope="module")
def publish(world: Path, releases: Releases) -> Callable:
    versions = iter(range(2, 1000))

    def make(flaw: Flaw | None = None, hardware: str = HARDWARE):
        version = f"0.0.{next(versions)}"
        return releases.publish(build_version(world / version, version, flaw), hardware)

    return make


@pytest.fixture
def device_with(tmp_path: Path, factory: Path, releases: Releases, url: str) -> Iterator[Callable]:
    devices: list[UpdatingDevice] = []

    def make(**update: object) -> UpdatingDevice:
        settings = device_settings(tmp_path / "state", factory, releases.root, **{"url": url, **update})
        devices.append(UpdatingDevice(settings))
        return devices[-1].start()

    yield make
    for device in devices:
        device.stop()


def version_in_use(device: UpdatingDevice) -> str:
    return device.model.loaded.manifest.version


def test_an_update_comes_through_every_phase_and_success_is_told_after_it_is_confirmed(device_with, publish):
    device, wanted = device_with(probation_s=1.0, shadow_pictures=3), publish()
    device.want(wanted, 1)
    told = device.wait_end(1)
    assert (told.phase, told.failure, told.active) == (Phase.CONFIRMED, None, wanted.model)
    assert (told.shadow.model, told.shadow.pictures >= 3) == (wanted.model, True)
    assert told.shadow.agreed == told.shadow.pictures == sum(told.shadow.class_bins)
    ways = [phase for phase in device.phases if phase not in {Phase.IDLE, Phase.STAGED, Phase.COMPILING}]
    assert ways == [Phase.DOWNLOADING, Phase.TESTING, Phase.SHADOW, Phase.ACTIVE, Phase.CONFIRMED]
    assert [kind for kind, _ in device.events] == [
        EventKind.MODEL_STAGED,
        EventKind.MODEL_ACTIVATED,
        EventKind.MODEL_CONFIRMED,
    ]
    assert version_in_use(device) == wanted.model.version
    assert told.fallback.version == "0.0.1"


def test_the_next_update_goes_into_the_other_slot_and_a_rollback_needs_no_network(device_with, publish):
    device, first, second = device_with(), publish(), publish()
    device.want(first, 1)
    device.wait_end(1)
    device.want(second, 2)
    assert device.wait_end(2).fallback == first.model
    device.want(None, 3, roll_back=True)
    wait_for(lambda: version_in_use(device) == first.model.version, ENDS_WITHIN_S)
    wait_for(lambda: device.updater.reported.active == first.model, ENDS_WITHIN_S)
    assert device.updater.reported.fallback is None
    wait_for(lambda: device.events[-1][0] is EventKind.MODEL_ROLLED_BACK, ENDS_WITHIN_S)
    assert device.events[-1] == (
        EventKind.MODEL_ROLLED_BACK,
        f"green {first.model.version} measures again, as was asked for",
    )


@pytest.mark.slow
def test_a_fleet_that_names_the_model_to_go_back_to_gets_that_one_wherever_it_is(device_with, publish):
    device, first, second, third = device_with(), publish(), publish(), publish()
    for revision, wanted in enumerate((first, second, third), start=1):
        device.want(wanted, revision)
        device.wait_end(revision)
    device.want(second, 4, roll_back=True)
    told = device.wait_end(4)
    assert (told.phase, told.active, version_in_use(device)) == (Phase.CONFIRMED, second.model, second.model.version)
    staged = [kind for kind, _ in device.events].count(EventKind.MODEL_STAGED)
    assert staged == 3, "the other slot held it"
    device.want(first, 5, roll_back=True)
    told = device.wait_end(5)
    assert (told.phase, told.active) == (Phase.CONFIRMED, first.model), "no slot held it, so it came as an update"


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [("blind", "golden"), ("keen", "disagrees")],
)
def test_a_bad_model_is_refused_after_two_attempts_and_what_ran_goes_on(device_with, publish, flaw, reason):
    device, wanted = device_with(), publish(flaw)
    device.want(wanted, 1)
    told = device.wait_end(1)
    assert (told.phase, told.failure) == (Phase.REFUSED, Failure.REJECTED)
    assert reason in told.reason
    assert "until somebody asks" in told.reason
    assert (told.active.version, version_in_use(device)) == ("0.0.1", "0.0.1")
    device.want(wanted, 2)
    assert device.wait_end(2).phase is Phase.REFUSED
    assert [kind for kind, _ in device.events] == [EventKind.MODEL_STAGED, EventKind.MODEL_REFUSED] * 2


def test_a_model_that_mends_what_the_one_in_force_gets_wrong_may_disagree_with_it(device_with, publish):
    device, keen = device_with(probation_s=1.0, shadow_pictures=3), publish("keen")
    device.want(keen.model_copy(update={"may_disagree": True}), 1)
    told = device.wait_end(1)
    assert (told.phase, told.active) == (Phase.CONFIRMED, keen.model)
    assert told.shadow.agreed < told.shadow.pictures, "that it disagrees is told all the same"


def test_a_blind_model_is_refused_though_it_may_disagree(device_with, publish):
    device, blind = device_with(), publish("blind and recorded so")
    device.want(blind.model_copy(update={"may_disagree": True}), 1)
    told = device.wait_end(1)
    assert (told.phase, told.failure) == (Phase.REFUSED, Failure.REJECTED)
    assert "blind" in told.reason


def test_what_is_for_other_hardware_is_refused(device_with, publish):
    device, wanted = device_with(), publish(hardware=OTHER_HARDWARE)
    device.want(wanted, 1)
    told = device.wait_end(1)
    assert told.phase is Phase.REFUSED
    assert "is for orin, this device is onnx-cpu" in told.reason


def test_an_older_version_is_refused_at_once(device_with, publish):
    device, older, newer = device_with(), publish(), publish()
    device.want(newer, 1)
    device.wait_end(1)
    device.want(older, 2)
    told = device.wait_end(2)
    assert (told.phase, told.failure, version_in_use(device)) == (Phase.REFUSED, Failure.REJECTED, newer.model.version)
    assert "older than" in told.reason


def test_what_was_never_signed_is_refused(device_with, publish, factory):
    device, wanted = device_with(), publish()
    device.want(wanted_of(wanted.model.model_copy(update={"version": "9.9.9"})), 1)
    assert device.wait_end(1).phase is Phase.REFUSED
    device.want(wanted.model_copy(update={"model": wanted.model.model_copy(update={"digest": f"sha256:{7:064x}"})}), 2)
    told = device.wait_end(2)
    assert "must come from one fleet" in told.reason
    assert version_in_use(device) == "0.0.1"


def test_a_full_disk_fails_the_attempt_and_leaves_what_runs(device_with, publish):
    device, wanted = device_with(reserve_bytes=2**62), publish()
    device.want(wanted, 1)
    told = device.wait_end(1)
    assert (told.phase, told.failure, version_in_use(device)) == (Phase.REFUSED, Failure.FAILED, "0.0.1")
    assert "room" in told.reason
    device.want(wanted.model_copy(update={"retry": True}), 2)
    wait_for(lambda: len(device.events) == 4, ENDS_WITHIN_S)
    assert [kind for kind, _ in device.events] == [EventKind.MODEL_REFUSED] * 4


def test_without_a_network_it_waits_and_goes_on_when_there_is_one(device_with, publish, releases, url, monkeypatch):
    device, wanted = device_with(url="http://127.0.0.1:9"), publish()
    device.want(wanted, 1)
    wait_for(lambda: "tried again" in device.updater.reported.reason, ENDS_WITHIN_S)
    assert device.updater.reported.phase is Phase.DOWNLOADING
    monkeypatch.setattr(device.updater._steps, "_limits", device.settings.update.model_copy(update={"url": url}))
    assert device.wait_end(1).phase is Phase.CONFIRMED


def test_a_fleet_that_waits_no_longer_hears_so(device_with, publish):
    device, wanted = device_with(url="http://127.0.0.1:9"), publish()
    device.want(wanted.model_copy(update={"give_up_after_s": 0.5}), 1)
    told = device.wait_end(1)
    assert (told.phase, told.failure) == (Phase.REFUSED, Failure.TIMED_OUT)


def test_a_model_that_goes_blind_in_its_probation_is_rolled_back(device_with, publish):
    device, wanted = device_with(probation_s=20.0), publish()
    device.want(wanted, 1)
    wait_for(lambda: device.updater.reported.phase is Phase.ACTIVE, ENDS_WITHIN_S)
    device.pictures = [soil(128, 128, number) for number in range(4)]
    told = device.wait_end(1)
    assert (told.phase, told.failure, version_in_use(device)) == (Phase.ROLLED_BACK, Failure.ROLLED_BACK, "0.0.1")
    assert "finds plants in" in told.reason
    device.want(wanted, 1)
    assert device.updater.reported.phase is Phase.ROLLED_BACK, "the same order is no second attempt"


def test_the_model_from_before_watches_the_new_one(device_with, publish, monkeypatch):
    monkeypatch.setattr(
        steps.Steps, "_test", lambda self, _: self._ledger.turn(self._ledger.slots.advanced(Phase.SHADOW))
    )
    monkeypatch.setattr(steps.Steps, "_shadow", lambda self, update: steps.Progress())
    device, wanted = device_with(probation_s=20.0, shadow_pictures=3), publish("keen")
    device.want(wanted, 1)
    told = device.wait_end(1)
    assert told.phase is Phase.ROLLED_BACK
    assert "disagrees" in told.reason


def test_held_updates_wait_and_the_fleet_hears_of_it(device_with, publish):
    device, wanted = device_with(), publish()
    hold(device.settings.state_dir, held=True)
    device.want(wanted, 1)
    wait_for(lambda: device.updater.reported.held, ENDS_WITHIN_S)
    assert device.updater.reported.phase is Phase.IDLE
    hold(device.settings.state_dir, held=False)
    assert device.wait_end(1).phase is Phase.CONFIRMED
    assert not device.updater.reported.held


def test_a_stick_carries_the_same_update(device_with, publish, releases):
    device, wanted = device_with(url=None), publish()
    ask(device.settings.state_dir, Request(what="update", source=str(releases.public)))
    wait_for(lambda: device.updater.reported.active == wanted.model, ENDS_WITHIN_S)
    told = device.wait_end(0)
    assert (told.phase, told.wanted) == (Phase.CONFIRMED, wanted.model)


def test_a_stick_that_was_tampered_with_changes_nothing(device_with, publish, releases, tmp_path):
    wanted = publish()
    shutil.copytree(releases.public, tmp_path / "usb")
    package = next((tmp_path / "usb" / "targets" / HARDWARE).glob(f"*{wanted.model.version}.zip"))
    content = bytearray(package.read_bytes())
    content[len(content) // 2] ^= 1
    package.write_bytes(content)
    device = device_with(url=None)
    ask(device.settings.state_dir, Request(what="update", source=str(tmp_path / "usb")))
    told = device.wait_end(0)
    assert (told.phase, told.failure, version_in_use(device)) == (Phase.REFUSED, Failure.REJECTED, "0.0.1")


def test_a_technician_goes_back_and_forth(device_with, publish):
    device, wanted = device_with(), publish()
    device.want(wanted, 1)
    device.wait_end(1)
    ask(device.settings.state_dir, Request(what="roll_back"))
    wait_for(lambda: version_in_use(device) == "0.0.1", ENDS_WITHIN_S)
    ask(device.settings.state_dir, Request(what="activate", version=wanted.model.version))
    wait_for(lambda: device.updater.reported.active == wanted.model, ENDS_WITHIN_S)
    assert device.wait_end(1).phase is Phase.CONFIRMED
    ask(device.settings.state_dir, Request(what="activate"))
    wait_for(lambda: device.ledger.slots.active is Slot.FACTORY, ENDS_WITHIN_S)
    device.want(wanted, 1)
    assert device.ledger.slots.order.wanted is None, "the fleet's old word does not overrule the technician"


def test_a_restart_goes_on_where_the_daemon_ended(device_with, publish):
    device, wanted = device_with(shadow_pictures=10_000_000), publish()
    device.want(wanted, 1)
    wait_for(lambda: device.updater.reported.phase is Phase.SHADOW, ENDS_WITHIN_S)
    device.stop()
    again = device_with()
    assert again.wait_end(1).phase is Phase.CONFIRMED
