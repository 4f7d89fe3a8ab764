"""One golden file for each message of schema 1. They may gain fields that have defaults; nothing else may change."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.contract.manifest import Manifest
from edge.contract.message import SCHEMA, Message
from edge.contract.records import Outcome
from edge.contract.topics import CHANNELS, OBS, STATE, decode
from edge.contract.traits import TRAIT_SETS, VOCABULARY, expanded

GOLDEN = Path(__file__).parent / "golden"
KINDS: dict[str, type[Message]] = {
    **{name: channel.payload for name, channel in CHANNELS.items()},
    "manifest": Manifest,
}


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def with_unknown_fields(tree):
    """The same tree as a later release might write it: a new field in every object that is no map of names."""
    if isinstance(tree, list):
        return [with_unknown_fields(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    maps = {
        "detail",
        "frames",
        "temperatures_c",
        "fps",
        "clocks_mhz",
        "settings",
        "settings_refused",
        "histograms",
        "moments",
        "count_errors",
        "psi",
        "scores",
        "changes",
        "js",
        "evidence",
        "files",
        "models",
        "metrics",
        "repairs",
    }
    grown = {key: value if key in maps else with_unknown_fields(value) for key, value in tree.items()}
    return {**grown, "invented_later": {"a": [1]}}


def test_every_message_has_a_golden_file():
    assert {path.stem for path in GOLDEN.iterdir()} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_a_golden_message_is_read_and_written_unchanged(name):
    message = KINDS[name].model_validate(golden(name))

    assert message.schema_version == SCHEMA
    assert json.loads(message.encode()) == golden(name)
    assert KINDS[name].model_validate_json(message.encode()) == message


@pytest.mark.parametrize("name", KINDS)
def test_fields_of_a_later_release_are_accepted_and_dropped(name):
    later = json.dumps(with_unknown_fields(golden(name)))
    assert KINDS[name].model_validate_json(later) == KINDS[name].model_validate(golden(name))


def test_values_of_a_later_release_read_as_none():
    tree = golden("obs")
    tree["items"][0]["record"]["outcome"] = "dreamt"
    tree["items"][0]["record"]["traits"][0]["unit"] = "lux"
    tree["items"][2]["record"]["quality"] = ["dark", "haunted"]

    batch = decode(OBS, json.dumps(tree).encode())

    assert batch.items[0].record.outcome is None
    assert batch.items[0].record.traits[0].unit is None
    assert [flag and flag.value for flag in batch.items[2].record.quality] == ["dark", None]
    assert batch.items[1].record.outcome is Outcome.NO_PLANT


def test_a_kind_of_event_of_a_later_release_reads_as_none():
    tree = golden("event")
    tree["items"][0]["record"]["kind"] = "aliens"
    assert KINDS["event"].model_validate(tree).items[0].record.kind is None


def test_a_time_without_its_offset_is_refused():
    with pytest.raises(ValidationError, match="timezone"):
        decode(STATE, json.dumps({**golden("state"), "at": "2024-05-06T07:08:09"}).encode())


def test_a_time_with_an_offset_is_held_in_utc():
    state = decode(STATE, json.dumps({**golden("state"), "at": "2024-05-06T09:08:09.123456+02:00"}).encode())
    assert json.loads(state.encode()) == golden("state")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_refused(number):
    payload = json.dumps(golden("obs")).replace("5592.75", number)
    assert number in payload
    with pytest.raises(ValueError, match=r"finite number|invalid number|expected value|Invalid JSON"):
        decode(OBS, payload.encode())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("obs", {"epoch": "E" * 32}),
        ("obs", {"items": []}),
        ("ack", {"seq": -1}),
        ("ack", {"seq": 2**53 + 1}),
        ("event", {"items": [{**golden("event")["items"][1], "first_seq": 41}]}),
        ("info", {"cameras": ["bench/1"]}),
        ("state", {"schema": 0}),
        ("manifest", {"plant_classes": ["moss"]}),
        ("manifest", {"models": {"fp32": "absent.onnx"}}),
        ("manifest", {"input": {"height_px": 510, "width_px": 512}}),
        ("manifest", {"things": [{**golden("manifest")["things"][1], "part_of": "tree"}]}),
        ("manifest", {"things": [{**thing, "grouped": True} for thing in golden("manifest")["things"]]}),
    ],
)
def test_a_value_outside_of_the_contract_is_refused(name, change):
    with pytest.raises(ValidationError):
        KINDS[name].model_validate({**golden(name), **change})


def test_the_vocabulary_names_each_trait_once():
    assert len(VOCABULARY) == 32
    assert all(trait.name == name for name, trait in VOCABULARY.items())
    assert len({trait.label for trait in VOCABULARY.values()}) == len(VOCABULARY)


def test_a_method_is_short_enough_to_travel_with_every_value():
    assert max(len(trait.method) for trait in VOCABULARY.values()) <= 64


def test_sets_of_traits_hold_known_ones_and_none_is_named_like_a_trait():
    assert not set(TRAIT_SETS) & set(VOCABULARY)
    assert {name for names in TRAIT_SETS.values() for name in names} <= set(VOCABULARY)
    assert expanded(("hue", "fruit", "canopy_cover", "aura")) == ("hue", *TRAIT_SETS["fruit"], "aura")


def test_distributions_that_are_none_are_refused():
    tree = golden("obs")
    for wrong in ([1.5], [-0.1], [0.0] * 65):
        tree["items"][0]["record"]["traits"][0]["histogram"] = wrong
        with pytest.raises(ValueError, match="histogram"):
            decode(OBS, json.dumps(tree).encode())
