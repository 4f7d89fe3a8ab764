"""Rollouts on paper: who is exposed, when it stops, how everybody gets back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.control import Failure, Phase, Window
from fleet.errors import PlanError
from fleet.rollouts.advance import advance
from fleet.rollouts.plan import Correlation, Errors, Plan, Selector, Wave, load_plan, make_plan
from fleet.rollouts.rollout import GOING_ON, TOLD, Rollout, Standing, State
from tests.sim.fleet_on_paper import NEW, OLD, OTHER, PaperFleet, fleet_of, rollout_of

NO_CORRELATION = Correlation(alpha=0.0)
THREE = Plan(waves=tuple(Wave(percent=percent, soak_s=60) for percent in (5, 25, 100)))


def standings(rollout: Rollout, standing: Standing) -> set[str]:
    return {name for name, one in rollout.participants.items() if one.standing is standing}


def one_wave(**fields: object) -> Plan:
    own = ("on_halt", "window", "give_up_after_s", "correlation", "may_disagree")
    plan = {key: fields.pop(key) for key in own if key in fields}
    return Plan(waves=(Wave(soak_s=0, **fields),), **{"correlation": NO_CORRELATION, **plan})  # type: ignore[arg-type]


def test_a_good_release_reaches_everybody_wave_by_wave() -> None:
    fleet, rollout = fleet_of(200, ["cpu", "orin", "x86"]), rollout_of(THREE)
    sizes = []
    for _ in range(40):
        rollout = fleet.run(rollout, looks=1)
        sizes.append(len(fleet.exposed()))
    assert [size for size in sorted(set(sizes)) if size] == [10, 50, 200]
    assert rollout.state is State.DONE
    assert all(device.active == NEW for device in fleet.devices.values())


def test_a_wave_soaks_before_the_next_begins() -> None:
    fleet, rollout = fleet_of(20), rollout_of(Plan(waves=(Wave(percent=20, soak_s=100), Wave(soak_s=0))))
    rollout = fleet.run(rollout, looks=10, wait_s=10)
    assert len(fleet.exposed()) == 4
    assert rollout.soak_since is not None
    rollout = fleet.run(rollout, looks=5, wait_s=10)
    assert len(fleet.exposed()) == 20


def test_a_wave_that_stops_being_good_soaks_anew() -> None:
    plan = Plan(waves=(Wave(percent=50, soak_s=100, errors=Errors(any=0.5), success_threshold=1.0), Wave()))
    fleet, rollout = fleet_of(8), rollout_of(plan)
    rollout = fleet.run(rollout, looks=3)
    name = min(standings(rollout, Standing.SUCCEEDED))
    fleet.devices[name].active = OLD
    rollout = fleet.look(rollout, wait_s=10)
    assert (rollout.soak_since, rollout.participants[name].failure) == (None, Failure.ROLLED_BACK)
    fleet.devices[name].active = NEW
    rollout = fleet.look(rollout, wait_s=200)
    assert rollout.wave == 0
    assert fleet.look(rollout, wait_s=101).wave == 1


def test_small_first_waves_see_every_common_hardware() -> None:
    fleet = fleet_of(200, ["cpu", "cpu", "cpu", "orin", "x86"])
    fleet.look(rollout_of(Plan(waves=(Wave(percent=5), Wave()))))
    seen = sorted(fleet.devices[name].hardware for name in fleet.exposed())
    assert seen == ["cpu"] * 6 + ["orin"] * 2 + ["x86"] * 2


def test_canaries_are_chosen_by_tag_site_and_hardware() -> None:
    fleet = fleet_of(12, ["cpu", "orin"])
    for name in ("north/d003", "north/d004", "north/d005"):
        fleet.devices[name].tags = frozenset({"canary"})
    plan = Plan(
        waves=(
            Wave(select=Selector(tags=("canary",), hardware=("orin",)), soak_s=0),
            Wave(select=Selector(sites=("north",), devices=("north/d000",)), soak_s=0),
            Wave(soak_s=0),
        )
    )
    rollout = fleet.look(rollout_of(plan))
    assert fleet.exposed() == {"north/d003", "north/d005"}
    assert set(rollout.members(1)) == {"north/d000"}
    assert fleet.run(rollout).state is State.DONE


# --- success and failure of one device


def test_a_start_is_no_success_and_neither_is_a_confirmed_report_about_something_else() -> None:
    fleet = fleet_of(1)
    device = fleet.devices["north/d000"]
    rollout = fleet.look(rollout_of(one_wave()))
    device.answer()
    for phase, active in ((Phase.ACTIVE, NEW), (Phase.CONFIRMED, OLD), (Phase.IDLE, NEW), (Phase.SHADOW, OLD)):
        device.phase, device.active = phase, active
        rollout = fleet.look(rollout)
        assert rollout.participants["north/d000"].standing is Standing.UNDER_WAY, phase
    device.phase, device.active = Phase.CONFIRMED, NEW
    assert fleet.look(rollout).state is State.DONE


def test_a_confirmed_report_from_before_the_offer_is_no_success() -> None:
    fleet = fleet_of(1)
    device = fleet.devices["north/d000"]
    device.phase, device.active = Phase.CONFIRMED, NEW
    rollout = fleet.look(fleet.look(rollout_of(one_wave())))
    assert rollout.participants["north/d000"].standing is Standing.OFFERED
    device.answer()
    device.phase = Phase.CONFIRMED
    assert fleet.look(rollout).state is State.DONE


def test_a_refusal_left_over_from_another_version_is_no_failure() -> None:
    fleet = fleet_of(1)
    device = fleet.devices["north/d000"]
    rollout = fleet.look(rollout_of(one_wave()))
    device.answer()
    device.phase = Phase.REFUSED
    device.desired = device.desired.model_copy(
        update={"wanted": device.desired.wanted.model_copy(update={"model": OTHER})}
    )
    assert fleet.look(rollout).participants["north/d000"].standing is Standing.UNDER_WAY


@pytest.mark.parametrize(
    ("phase", "told", "kind"),
    [
        (Phase.REFUSED, None, Failure.REJECTED),
        (Phase.REFUSED, Failure.FAILED, Failure.FAILED),
        (Phase.REFUSED, Failure.TIMED_OUT, Failure.TIMED_OUT),
        (Phase.ROLLED_BACK, None, Failure.ROLLED_BACK),
    ],
)
def test_each_kind_of_failure_has_a_limit_of_its_own(phase: Phase, told: Failure | None, kind: Failure) -> None:
    for limits, state in ((Errors(any=1.0, **{kind.value: 0.4}), State.HALTED), (Errors(any=1.0), State.RUNNING)):
        fleet = fleet_of(2)
        rollout = fleet.look(rollout_of(one_wave(errors=limits, min_executed=2)))
        bad, good = fleet.devices.values()
        good.finish()
        bad.answer()
        bad.phase, bad.failure = phase, told
        rollout = fleet.look(rollout)
        assert rollout.state is state
        assert rollout.participants["north/d000"].failure is kind


def test_a_device_that_answers_and_falls_silent_has_timed_out() -> None:
    fleet = fleet_of(4)
    rollout = fleet.look(rollout_of(one_wave(give_up_after_s=100.0, success_threshold=0.5, errors=Errors(any=0.5))))
    for device in fleet.devices.values():
        device.answer()
    rollout = fleet.look(rollout)
    fleet.devices["north/d000"].online = False
    for device in fleet.devices.values():
        device.finish()
    rollout = fleet.look(rollout, wait_s=700)
    assert rollout.participants["north/d000"].standing is Standing.UNDER_WAY
    rollout = fleet.look(rollout, wait_s=1)
    assert rollout.participants["north/d000"].failure is Failure.TIMED_OUT
    assert rollout.state is State.DONE


@pytest.mark.parametrize("away", ["offline", "held"])
def test_a_device_that_is_not_there_or_is_held_holds_nobody_up_and_joins_later(away: str) -> None:
    fleet = fleet_of(10)
    late = fleet.devices["north/d004"]
    late.online, late.held = away != "offline", away == "held"
    rollout = fleet.run(rollout_of(THREE), looks=60, wait_s=86_400)
    assert (rollout.state, rollout.wave) == (State.RUNNING, 2)
    assert standings(rollout, Standing.SUCCEEDED) == set(fleet.devices) - {"north/d004"}
    late.online, late.held = True, False
    assert fleet.run(rollout, looks=3, wait_s=60).state is State.DONE
    assert late.active == NEW


def test_a_device_that_turns_up_later_joins_the_last_wave() -> None:
    fleet = fleet_of(20)
    rollout = fleet.look(rollout_of(THREE))
    fleet.devices["south/new"] = replace(fleet.devices["north/d000"], desired=None, revision=0, phase=Phase.IDLE)
    rollout = fleet.look(rollout)
    assert rollout.participants["south/new"].place.wave == 2
    assert fleet.run(rollout, looks=60).state is State.DONE
    assert fleet.devices["south/new"].active == NEW


def test_a_newcomer_of_the_canaries_site_is_no_canary() -> None:
    fleet = fleet_of(6)
    plan = Plan(waves=(Wave(select=Selector(sites=("north",)), soak_s=0), Wave(soak_s=0)))
    rollout = fleet.look(rollout_of(plan))
    fleet.devices["north/new"] = replace(fleet.devices["north/d000"], desired=None)
    assert fleet.look(rollout).participants["north/new"].place.wave == 1


# --- thresholds at their borders


@pytest.mark.parametrize(("failing", "state"), [(2, State.DONE), (3, State.HALTED)])
def test_as_many_failures_as_are_allowed_do_not_halt_and_one_more_does(failing: int, state: State) -> None:
    fleet = fleet_of(20)
    for device in list(fleet.devices.values())[:failing]:
        device.broken = frozenset({NEW.digest})
    plan = one_wave(errors=Errors(any=0.1), success_threshold=0.9, min_executed=20)
    assert fleet.run(rollout_of(plan)).state is state


@pytest.mark.parametrize(("executed", "state"), [(4, State.RUNNING), (5, State.HALTED)])
def test_nothing_is_concluded_before_enough_devices_have_ended(executed: int, state: State) -> None:
    fleet = fleet_of(10, broken=frozenset({NEW.digest}))
    rollout = fleet.look(rollout_of(one_wave(min_executed=5)))
    for device in list(fleet.devices.values())[:executed]:
        device.finish()
    assert fleet.look(rollout).state is state


def test_a_wave_smaller_than_the_minimum_waits_for_all_of_its_devices() -> None:
    fleet = fleet_of(2)
    rollout = fleet.look(rollout_of(Plan(waves=(Wave(min_executed=50, soak_s=0),))))
    fleet.devices["north/d000"].finish()
    assert fleet.look(rollout).state is State.RUNNING
    fleet.devices["north/d001"].finish()
    assert fleet.look(rollout).state is State.DONE


def test_a_wave_of_absent_devices_is_not_good() -> None:
    fleet = fleet_of(10, online=False)
    rollout = fleet.run(rollout_of(THREE), wait_s=86_400)
    assert (rollout.state, rollout.wave) == (State.RUNNING, 0)


def test_a_wave_without_devices_is_passed() -> None:
    fleet = fleet_of(5)
    plan = Plan(waves=(Wave(select=Selector(tags=("nobody",))), Wave(soak_s=0)))
    assert fleet.run(rollout_of(plan), looks=4).state is State.DONE


def test_failures_below_the_percentage_halt_when_they_share_a_hardware() -> None:
    fleet = fleet_of(60, ["cpu"] * 9 + ["orin"])
    for device in fleet.devices.values():
        device.broken = frozenset({NEW.digest} if device.hardware == "orin" else ())
    plan = Plan(waves=(Wave(soak_s=0, errors=Errors(any=0.2), success_threshold=0.8),))
    rollout = fleet.run(rollout_of(plan))
    assert rollout.state is State.HALTED
    assert "6 of 6 devices with hardware=orin failed, but 0 of 54 others" in rollout.reason
    assert all(device.active == OLD for device in fleet.devices.values())


# --- halting, pausing, going back


def broken_release(**fields: object) -> tuple[PaperFleet, Rollout]:
    """Half of the fleet cannot run it; the first wave of 10 halts."""
    fleet = fleet_of(40, ["cpu", "orin"])
    for device in fleet.devices.values():
        device.broken = frozenset({NEW.digest} if device.hardware == "orin" else ())
    return fleet, rollout_of(Plan(waves=(Wave(percent=25, soak_s=0), Wave(soak_s=0)), **fields))  # type: ignore[arg-type]


def test_a_halt_exposes_nobody_more_and_sends_everybody_back() -> None:
    fleet, rollout = broken_release()
    rollout = fleet.run(rollout)
    assert rollout.state is State.HALTED
    assert "wave 1 of 2: 5 of 10 devices failed (50%), 10% are allowed" in rollout.reason
    assert len(standings(rollout, Standing.RETURNED)) == 10
    assert len(standings(rollout, Standing.WAITING)) == 30
    assert all(device.active == OLD for device in fleet.devices.values())


def test_a_halt_that_only_stops_leaves_the_model_where_it_works() -> None:
    fleet, rollout = broken_release(on_halt="stop")
    rollout = fleet.run(rollout)
    assert sorted(standings(rollout, Standing.SUCCEEDED)) == sorted(
        name for name, device in fleet.devices.items() if device.active == NEW
    )
    assert len(standings(rollout, Standing.RETURNED)) == 5


def test_a_halt_calls_off_devices_that_are_under_way_or_away() -> None:
    fleet, rollout = broken_release()
    rollout = fleet.look(rollout)
    slow, away, *others = sorted(fleet.exposed())
    fleet.devices[away].online = False
    fleet.devices[slow].answer()
    for name in others:
        fleet.devices[name].finish()
    rollout = fleet.look(fleet.look(rollout))
    assert rollout.state is State.HALTED
    for name in (slow, away):
        assert rollout.participants[name].standing is Standing.RETURNING
        assert fleet.devices[name].desired.wanted.model == OLD
    fleet.devices[away].online = True
    rollout = fleet.run(rollout, looks=2)
    assert not standings(rollout, Standing.RETURNING)
    assert fleet.devices[away].active == OLD


def test_a_paused_rollout_exposes_nobody_and_still_halts() -> None:
    fleet, rollout = broken_release()
    paused = replace(rollout, state=State.PAUSED)
    assert fleet.run(paused).state is State.PAUSED
    assert not fleet.exposed()
    rollout = fleet.look(rollout)
    for device in fleet.devices.values():
        device.finish()
    assert fleet.look(replace(rollout, state=State.PAUSED)).state is State.HALTED


def test_aborting_calls_off_what_is_under_way_and_leaves_what_has_it() -> None:
    fleet, rollout = fleet_of(10), rollout_of(one_wave())
    rollout = fleet.look(rollout)
    first = min(fleet.exposed())
    fleet.devices[first].finish()
    rollout = fleet.run(replace(fleet.look(rollout), state=State.ABORTED))
    assert standings(rollout, Standing.SUCCEEDED) == {first}
    assert [device.active for device in fleet.devices.values()].count(OLD) == 9


def test_a_finished_rollout_can_be_rolled_back_everywhere() -> None:
    fleet, rollout = fleet_of(10), rollout_of(THREE)
    rollout = fleet.run(rollout, looks=60)
    rollout = fleet.run(replace(rollout, state=State.ROLLED_BACK))
    assert standings(rollout, Standing.RETURNED) == set(fleet.devices)
    assert all(device.active == OLD for device in fleet.devices.values())


def test_a_device_without_a_model_before_is_asked_to_drop_the_new_one() -> None:
    fleet, rollout = fleet_of(1, active=None), rollout_of(one_wave())
    rollout = fleet.run(rollout)
    rollout = fleet.look(replace(rollout, state=State.ROLLED_BACK))
    desired = fleet.devices["north/d000"].desired
    assert (desired.wanted, desired.roll_back) == (None, True)


def test_a_device_that_another_rollout_has_is_left_alone() -> None:
    fleet, rollout = fleet_of(1), rollout_of(one_wave())
    facts = fleet.facts(rollout)
    busy = {name: replace(one, owner="other", owner_going_on=True) for name, one in facts.items()}
    fleet.facts = lambda _rollout: busy  # type: ignore[method-assign]
    assert not fleet.exposed()
    rollout = fleet.look(rollout)
    assert standings(rollout, Standing.WAITING) == {"north/d000"}
    fleet.facts = lambda _rollout: {name: replace(one, owner="other") for name, one in facts.items()}  # type: ignore[method-assign]
    fleet.look(rollout)
    assert fleet.exposed()


def test_a_device_on_its_way_back_goes_where_that_leads_if_it_is_sent_back_again() -> None:
    for phase, answered, before in ((Phase.DOWNLOADING, 7, OLD), (Phase.IDLE, 6, OLD), (Phase.CONFIRMED, 7, NEW)):
        fleet, rollout = fleet_of(1, active=NEW), rollout_of(one_wave(), OTHER)
        fleet.devices["north/d000"].revision, fleet.devices["north/d000"].phase = answered, phase
        facts = {name: replace(one, returning_to=OLD, revision=7) for name, one in fleet.facts(rollout).items()}
        step = advance(rollout, facts, fleet.now)
        assert step.rollout.participants["north/d000"].previous == before, phase


def test_a_device_that_is_held_on_the_way_holds_nobody_up() -> None:
    fleet = fleet_of(4)
    rollout = fleet.look(rollout_of(Plan(waves=(Wave(percent=50, soak_s=0, min_executed=1), Wave()))))
    first, second = sorted(fleet.exposed())
    fleet.devices[first].answer()
    fleet.devices[second].finish()
    assert fleet.look(rollout).wave == 0
    fleet.devices[first].held = True
    assert fleet.look(rollout).wave == 1


@pytest.mark.parametrize("may_disagree", [True, False])
def test_that_a_model_may_disagree_travels_with_the_offer(may_disagree: bool) -> None:
    fleet = fleet_of(1)
    fleet.look(rollout_of(one_wave(may_disagree=may_disagree)))
    assert fleet.devices["north/d000"].desired.wanted.may_disagree is may_disagree


def test_the_window_and_the_deadline_travel_with_the_offer() -> None:
    window = Window(start_minute=22 * 60, end_minute=5 * 60, daylight=False)
    fleet = fleet_of(1)
    fleet.look(rollout_of(one_wave(window=window, give_up_after_s=200_000)))
    wanted = fleet.devices["north/d000"].desired.wanted
    assert (wanted.window, wanted.give_up_after_s, wanted.target) == (window, 200_000, "cpu/rosette-1.1.0.zip")


def test_two_versions_go_to_disjoint_halves_of_every_hardware() -> None:
    fleet, rollout = fleet_of(40, ["cpu", "orin", "x86", "cpu"]), rollout_of(one_wave(), NEW, OTHER)
    rollout = fleet.run(rollout)
    halves = {name: device.active for name, device in fleet.devices.items()}
    assert set(halves.values()) == {NEW, OTHER}
    for hardware in ("cpu", "orin", "x86"):
        mine = [halves[name] for name, device in fleet.devices.items() if device.hardware == hardware]
        assert abs(mine.count(NEW) - mine.count(OTHER)) <= 1
    assert rollout.state is State.DONE


# --- properties

DEEDS = st.sampled_from(["answer", "finish", "leave", "come", "hold", "let go", "fall back", "look", "wait"])
RUNS = st.lists(st.tuples(DEEDS, st.integers(0, 29)), max_size=120)


def live(fleet: PaperFleet, rollout: Rollout, deeds: list[tuple[str, int]]) -> list[Rollout]:
    """Play what happens, and return the rollout after each look."""
    names = sorted(fleet.devices)
    looks = []
    for deed, number in deeds:
        device = fleet.devices[names[number % len(names)]]
        match deed:
            case "answer":
                device.answer()
            case "finish":
                device.finish()
            case "leave":
                device.online = False
            case "come":
                device.online = True
            case "hold":
                device.held = True
            case "let go":
                device.held = False
            case "fall back" if device.phase is Phase.CONFIRMED:
                device.active = OLD
            case "look" | "wait":
                rollout = fleet.look(rollout, wait_s=1_000.0 if deed == "wait" else 1.0)
                looks.append(rollout)
    return looks


def mixed_fleet() -> PaperFleet:
    fleet = fleet_of(30, ["cpu", "orin", "x86"])
    for name, device in fleet.devices.items():
        device.broken = frozenset({NEW.digest} if device.hardware == "orin" and name > "north/d010" else ())
    return fleet


QUICK = Plan(
    waves=(Wave(percent=10, soak_s=2), Wave(percent=40, soak_s=2), Wave(soak_s=2)), give_up_after_s=2_000.0, grace_s=0.0
)


@given(deeds=RUNS)
@settings(max_examples=60, deadline=None)
def test_never_more_is_exposed_than_the_waves_so_far(deeds: list[tuple[str, int]]) -> None:
    fleet = mixed_fleet()
    for rollout in live(fleet, rollout_of(QUICK), deeds):
        begun = {name for wave in range(rollout.wave + 1) for name in rollout.members(wave)}
        assert standings(rollout, Standing.OFFERED) <= begun
        assert fleet.exposed() <= begun
        assert len(begun) <= {0: 3, 1: 12, 2: 30}[rollout.wave]


@given(deeds=RUNS, more=RUNS)
@settings(max_examples=60, deadline=None)
def test_a_rollout_that_has_stopped_exposes_nobody_ever_again(
    deeds: list[tuple[str, int]], more: list[tuple[str, int]]
) -> None:
    fleet = mixed_fleet()
    rollout = ([rollout_of(QUICK), *live(fleet, rollout_of(QUICK), deeds)])[-1]
    if rollout.state in GOING_ON:
        rollout = replace(rollout, state=State.HALTED)
    offers = {name: order for name, order in fleet.told.items() if order.returning_to is None}
    for later in live(fleet, rollout, more):
        assert later.state is rollout.state
        now = {name: order for name, order in fleet.told.items() if order.returning_to is None}
        assert all(offers.get(name) is order for name, order in now.items())


@given(deeds=RUNS, rolled_back=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_device_ends_on_the_old_model_or_the_new_one(deeds: list[tuple[str, int]], rolled_back: bool) -> None:
    fleet = mixed_fleet()
    rollout = ([rollout_of(QUICK), *live(fleet, rollout_of(QUICK), deeds)])[-1]
    if rolled_back:
        rollout = replace(rollout, state=State.ROLLED_BACK)
    for device in fleet.devices.values():
        device.online, device.held = True, False
    rollout = fleet.run(rollout, looks=60, wait_s=30.0)
    assert rollout.state not in GOING_ON
    assert not standings(rollout, Standing.RETURNING) | standings(rollout, Standing.OFFERED)
    back = rolled_back or rollout.state is State.HALTED
    allowed = {OLD} if back else {OLD, NEW}
    assert {device.active for device in fleet.devices.values()} <= allowed


@given(deeds=RUNS)
@settings(max_examples=40, deadline=None)
def test_the_same_reports_lead_to_the_same_decisions_whoever_looks(deeds: list[tuple[str, int]]) -> None:
    """What is kept between two looks is a value: nothing hides in the process that may be killed."""
    one, two = mixed_fleet(), mixed_fleet()
    left, right = live(one, rollout_of(QUICK), deeds), live(two, rollout_of(QUICK), deeds)
    assert left == right
    assert one.told == two.told


@given(deeds=RUNS)
@settings(max_examples=40, deadline=None)
def test_looking_twice_at_the_same_tells_nobody_anything_new(deeds: list[tuple[str, int]]) -> None:
    fleet = mixed_fleet()
    looks = live(fleet, rollout_of(QUICK), [*deeds, ("look", 0)])
    told = dict(fleet.told)
    again = fleet.look(looks[-1], wait_s=0.0)
    if (again.state, again.wave) == (looks[-1].state, looks[-1].wave):
        already = {name for name, order in told.items()}
        assert all(fleet.told[name] is told[name] for name in already if again.participants[name].standing in TOLD)


# --- plans


def test_a_plan_is_read_from_yaml_and_a_wrong_one_says_where(tmp_path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "waves: [{percent: 5}, {percent: 100, errors: {any: 0.2}}]\nwindow: {start_minute: 1320, end_minute: 300}\n"
    )
    assert load_plan(path).waves[1].errors.any == 0.2
    path.write_text("waves: [{percent: 5, soak: 3}]\n")
    with pytest.raises(PlanError, match=r"waves\.0\.soak"):
        load_plan(path)
    path.write_text("waves: [\n")
    with pytest.raises(PlanError, match="is not YAML"):
        load_plan(path)
    with pytest.raises(PlanError, match="cannot read"):
        load_plan(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"waves": []}, "waves"),
        ({"waves": [{"percent": 25}, {"percent": 25}]}, "adds nobody"),
        ({"waves": [{"percent": 0}]}, "percent"),
        ({"waves": [{}], "window": {"daylight": False}, "give_up_after_s": 3600}, "once a day"),
        ({"waves": [{"select": {"tags": ["a b"]}}]}, "tags"),
        ("nothing", "plan"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tree: object, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        make_plan(tree, "the plan")
