"""Each cause is told by its own numbers, and how many cameras of a site say the same tells the rest."""

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.drift import DriftWindow, Moments, WindowSums
from edge.contract.records import Clock
from fleet.drift.cause import MEND, Cause, attribute, seen_by

AT = Clock(at=datetime(2026, 6, 1, 18, tzinfo=timezone.utc), monotonic_s=1.0, boot_id="boot", clock_ok=True)
DIGEST = f"sha256:{7:064}"
TINTS = ("plant.red_by_green", "plant.blue_by_green", "red_by_green")


def window(scores=None, tints=None, means=None):
    """A day of one camera: how far statistics moved in spreads, and by which share ratios of colours did."""
    shares = dict.fromkeys(TINTS, 0.0) | (tints or {})
    moments = {name: Moments(count=9, mean=1 + share, m2=0.0) for name, share in shares.items()}
    moments |= {name: Moments(count=9, mean=mean, m2=0.0) for name, mean in (means or {}).items()}
    return DriftWindow(
        camera="top", model=DIGEST, reference=DIGEST, band="day", since=AT, until=AT,
        sums=WindowSums(captures=9, moments=moments), scores=scores or {}, changes=shares, alarms=("sharpness",),
    )  # fmt: skip


SEEN = {
    "soft and pale is fog": ({"sharpness": -9.0, "saturation": -5.0}, {}, Cause.FOG),
    "soft and not pale is focus": ({"sharpness": -9.0, "saturation": -0.4}, {}, Cause.FOCUS),
    "pale with a blue veil is dust": ({"saturation": -6.0, "mean_grey": 2.0}, {"plant.blue_by_green": 0.1}, Cause.DUST),
    "bright is exposure": ({"mean_grey": 5.0}, {}, Cause.EXPOSURE),
    "dark is exposure": ({"mean_grey": -5.0}, {}, Cause.EXPOSURE),
    "jumping from picture to picture is exposure": ({"flicker": 9.0, "mean_grey": 0.5}, {}, Cause.EXPOSURE),
    "brighter than pale is exposure": (
        {"saturation": -6.0, "mean_grey": 9.0}, {"plant.blue_by_green": 0.1}, Cause.EXPOSURE,
    ),
    "paler than bright is dust": (
        {"saturation": -9.0, "mean_grey": 6.0}, {"plant.blue_by_green": 0.1}, Cause.DUST,
    ),
    "everything redder is the light": ({}, {"plant.red_by_green": 0.2, "red_by_green": 0.15}, Cause.LIGHT),
    "plants redder and less blue are yellow": (
        {}, {"plant.red_by_green": 0.2, "plant.blue_by_green": -0.1, "red_by_green": 0.02}, Cause.YELLOWING,
    ),
    "plants redder and bluer are a variety": (
        {}, {"plant.red_by_green": 0.2, "plant.blue_by_green": 0.2, "red_by_green": 0.02}, Cause.VARIETY,
    ),
    "the same colours with another count are a knock": ({"count.leaf": 6.0}, {}, Cause.KNOCK),
    "the same colours with other features are a knock": ({"features": 9.0}, {}, Cause.KNOCK),
    "nothing known is nothing": ({"noise": 9.0}, {}, Cause.UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize(("scores", "tints", "cause"), SEEN.values(), ids=SEEN.keys())
def test_what_one_camera_shows_tells_the_cause(scores, tints, cause):
    found, told = seen_by(window(scores, tints))
    assert (found, bool(told)) == (cause, True)


def test_the_movement_check_goes_before_what_the_picture_looks_like():
    found, told = seen_by(window({"sharpness": -9.0}), moved=True)
    assert found is Cause.KNOCK
    assert "movement check" in told


def test_every_cause_says_what_to_do():
    assert MEND.keys() == set(Cause)


def cameras(*names):
    return {(site, "dev", camera): window({"sharpness": -9.0}) for site, camera in (one.split("/") for one in names)}


def test_one_camera_of_a_site_is_its_own_matter():
    (found,) = attribute(cameras("north/a"), {"north": 4})
    assert (found.cause, found.cameras) == (Cause.FOCUS, (("north", "dev", "a"),))
    assert found.mend == MEND[Cause.FOCUS]


def test_most_of_a_site_at_once_is_the_light():
    (found,) = attribute(cameras("north/a", "north/b", "north/c"), {"north": 4, "south": 3})
    assert (found.cause, len(found.cameras)) == (Cause.LIGHT, 3)
    assert "3 of the site's 4" in found.evidence


def test_few_of_a_site_are_each_their_own():
    found = attribute(cameras("north/a", "north/b"), {"north": 9})
    assert [one.cause for one in found] == [Cause.FOCUS, Cause.FOCUS]


def test_a_site_of_one_camera_is_no_crowd():
    (found,) = attribute(cameras("north/a"), {"north": 1})
    assert found.cause is Cause.FOCUS


def test_a_camera_that_moved_keeps_its_site_from_being_the_light():
    found = attribute(cameras("north/a", "north/b"), {"north": 2}, moved=frozenset({("north", "dev", "a")}))
    assert [one.cause for one in found] == [Cause.KNOCK, Cause.FOCUS]


def test_all_with_a_new_model_are_the_model_and_the_rest_is_told_apart():
    alarming = cameras("north/a", "north/b", "north/c")
    new = frozenset({("north", "dev", "a"), ("north", "dev", "b")})
    model, rest = attribute(alarming, {"north": 9}, new_model=new)
    assert (model.cause, model.cameras) == (Cause.MODEL, tuple(sorted(new)))
    assert (rest.cause, rest.cameras) == (Cause.FOCUS, (("north", "dev", "c"),))


def test_a_few_of_many_that_took_a_model_are_not_the_models_fault():
    new = frozenset(("north", "dev", f"cam-{number}") for number in range(9))
    alarming = {camera: window({"sharpness": -9.0}) for camera in sorted(new)[:2]}
    assert Cause.MODEL not in {one.cause for one in attribute(alarming, {"north": 9}, new_model=new)}


def test_most_of_several_sites_is_the_season():
    alarming = cameras("north/a", "north/b", "south/a", "south/b")
    (found,) = attribute(alarming, {"north": 3, "south": 4})
    assert (found.cause, len(found.cameras)) == (Cause.SEASON, 4)


def test_nothing_alarming_has_no_cause():
    assert attribute({}, {"north": 3}) == []


numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.sampled_from(
    ["sharpness", "saturation", "mean_grey", "count.leaf", "features", *TINTS, "noise"]
)  # fmt: skip
sites = st.sampled_from(["north", "south", "east"])


@st.composite
def windows(draw):
    known = draw(st.dictionaries(names, st.builds(
        lambda mean: Moments(count=1, mean=mean, m2=0.0), numbers), max_size=4))  # fmt: skip
    return DriftWindow(
        camera="top", model=DIGEST, reference=DIGEST, band="day", since=AT, until=AT,
        sums=WindowSums(captures=1, moments=known),
        scores=draw(st.dictionaries(names, numbers, max_size=5)),
        changes=draw(st.dictionaries(names, numbers, max_size=4)),
    )  # fmt: skip


camera_names = st.tuples(sites, st.just("dev"), st.sampled_from("abcd"))


@given(
    alarming=st.dictionaries(camera_names, windows(), max_size=8),
    there=st.dictionaries(sites, st.integers(0, 9)),
    moved=st.frozensets(camera_names),
    new_model=st.frozensets(camera_names),
)
@settings(max_examples=150, deadline=None)
def test_every_alarming_camera_has_one_cause_whatever_its_numbers(alarming, there, moved, new_model):
    found = attribute(alarming, there, moved, new_model)
    assert sorted(camera for one in found for camera in one.cameras) == sorted(alarming)
    assert all(one.mend and one.evidence for one in found)
