"""Values read as growers write them, and missing never reads as zero."""

from datetime import timedelta

import pytest

from fleet.pages import wording
from tests.sim.fleet_records import NOON


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (7.0, "count", "7"),
        (12345.6, "px2", "12 346 px²"),
        (0.434, "fraction", "43 %"),
        (0.2136, "index", "0.214"),
        (98.2, "degree", "98°"),
        (87.25, "mm", "87.2 mm"),
        (81.0, "mm2", "81 mm²"),
        (123456.0, "mm2", "1 235 cm²"),
        (0.2514, "1/day", "0.251 /d"),
        (2.25, "day", "2.2 d"),
        (1.5, None, "1.5"),
    ],
)
def test_a_value_carries_its_unit(value: float, unit: str | None, text: str) -> None:
    assert wording.value({"value": value, "unit": unit}).replace(wording.NARROW_SPACE, " ") == text


def test_how_a_value_was_got_says_how_sure_it_is_where_that_is_known() -> None:
    trait = {"value": 1234.0, "unit": "px2", "method": "pixels"}
    assert wording.method(trait) == wording.method({**trait, "uncertainty": None}) == "pixels"
    assert wording.method({**trait, "uncertainty": 40.0}).replace(wording.NARROW_SPACE, " ") == "pixels; ± 40 px²"


@pytest.mark.parametrize(
    ("outcome", "quality", "text"),
    [
        ("measured", [], "measured"),
        ("no_plant", [], "no plant"),
        ("not_taken", ["dark", "blurred"], "not taken: dark, blurred"),
        ("failed", [], "failed"),
        ("not_taken", [None], "not taken: not known"),
        (None, [], "not known to this release"),
    ],
)
def test_the_four_outcomes_read_differently(outcome: str | None, quality: list[str | None], text: str) -> None:
    assert wording.outcome({"outcome": outcome, "quality": quality}) == text


def test_a_device_that_is_online_and_says_nothing_is_silent() -> None:
    online = {"online": True, "last_seen": NOON}
    assert wording.presence(online, NOON + timedelta(seconds=10)) == "online"
    assert wording.presence(online, NOON + timedelta(seconds=wording.SILENT_AFTER_S + 1)) == "silent"
    assert wording.presence({**online, "online": False}, NOON) == "offline"


def test_columns_are_the_main_traits_and_what_is_not_known() -> None:
    traits = [{"trait": name} for name in ("zinnia_index", "canopy_cover", "centroid_x", "solidity", "leaf_count")]
    assert [name for name, _ in wording.trait_columns([{"traits": traits}])] == [
        "leaf_count",
        "canopy_cover",
        "zinnia_index",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (59.9, "59 s"), (61, "1 min"), (7300, "2 h"), (1e6, "11 d")])
def test_an_age_is_told_in_one_unit(seconds: float, text: str) -> None:
    said = wording.age(NOON, NOON + timedelta(seconds=seconds))
    assert said.replace(wording.NARROW_SPACE, " ") == f"{text} ago"
