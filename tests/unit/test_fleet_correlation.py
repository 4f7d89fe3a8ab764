"""The correlated stop: worked examples, and the test against counting."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.rollouts.correlation import Outcome, find_suspicion, tail


def outcomes(*groups: tuple[str, int, int]) -> list[Outcome]:
    """For each (group, failed, executed)."""
    return [
        Outcome(frozenset({group}), failed=number < failed)
        for group, failed, executed in groups
        for number in range(executed)
    ]


@pytest.mark.parametrize(
    ("orin", "others", "chance"),
    [
        ((2, 2), (0, 20), 1 / 231),  # both of two: C(2,2) / C(22,2)
        ((3, 10), (0, 30), 120 / 9_880),  # C(10,3) / C(40,3)
        ((4, 10), (0, 30), 210 / 91_390),  # C(10,4) / C(40,4)
        ((1, 1), (0, 99), 1 / 100),
        ((3, 4), (1, 4), (16 + 1) / 70),  # Fisher's tea: at least three of four cups right
    ],
)
def test_worked_examples(orin: tuple[int, int], others: tuple[int, int], chance: float) -> None:
    assert tail(orin[1] + others[1], orin[0] + others[0], orin[1], orin[0]) == pytest.approx(chance)


@given(executed=st.integers(1, 9), data=st.data())
def test_the_tail_is_what_counting_every_way_gives(executed: int, data: st.DataObject) -> None:
    failures = data.draw(st.integers(0, executed))
    members = data.draw(st.integers(0, executed))
    failed = data.draw(st.integers(0, min(failures, members)))
    ways = [sum(device < members for device in failing) for failing in combinations(range(executed), failures)]
    assert tail(executed, failures, members, failed) == pytest.approx(sum(way >= failed for way in ways) / len(ways))


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ([("hardware=orin", 2, 2), ("hardware=cpu", 0, 20)], "hardware=orin"),
        ([("hardware=orin", 3, 10), ("hardware=cpu", 0, 30)], None),
        ([("hardware=orin", 4, 10), ("hardware=cpu", 0, 30)], "hardware=orin"),
        ([("hardware=orin", 5, 10), ("hardware=cpu", 15, 30)], None),  # bad everywhere: the wave's own limits stop that
        ([("hardware=orin", 20, 20)], None),  # nothing to compare with
        ([("hardware=orin", 1, 1), ("hardware=cpu", 0, 500)], None),  # one device may be broken by itself
        ([("hardware=orin", 0, 40)], None),
        ([], None),
    ],
)
def test_what_stops_and_what_does_not(groups: list[tuple[str, int, int]], found: str | None) -> None:
    suspicion = find_suspicion(outcomes(*groups), alpha=0.02, min_failures=2)
    assert (suspicion and suspicion.groups) == (found and (found,))


def test_the_message_has_all_the_numbers() -> None:
    suspicion = find_suspicion(outcomes(("camera=rtsp", 4, 5), ("camera=v4l2", 1, 40)), alpha=0.02, min_failures=2)
    assert str(suspicion) == "4 of 5 devices with camera=rtsp failed, but 1 of 40 others (by chance: 1 in 6,078)"


def test_thousands_of_devices_are_no_trouble() -> None:
    assert 0 < tail(10_000, 300, 2_000, 120) < 1e-10


def test_groups_of_the_same_devices_are_one_suspicion() -> None:
    both = [Outcome(frozenset({"hardware=orin", "camera=csi"}), failed=True)] * 4
    suspicion = find_suspicion([*both, *outcomes(("hardware=cpu", 0, 30))], alpha=0.02, min_failures=2)
    assert suspicion
    assert suspicion.groups == ("camera=csi", "hardware=orin")


def test_the_more_groups_are_looked_at_the_less_is_left_to_chance() -> None:
    """Two of two, with 1 in 231 by chance, are enough among two groups and too few among six."""
    bad, good = [Outcome(frozenset({"hardware=orin"}), failed=True)] * 2, range(20)
    few = [Outcome(frozenset({"hardware=cpu"}), failed=False) for _ in good]
    many = [Outcome(frozenset({"hardware=cpu", f"crop={n % 4}"}), failed=False) for n in good]
    assert find_suspicion([*bad, *few], alpha=0.02, min_failures=2)
    assert not find_suspicion([*bad, *many], alpha=0.02, min_failures=2)
