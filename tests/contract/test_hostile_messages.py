"""Whatever comes in a payload is a message or a ValueError, and a message is small enough for every store."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from edge.contract.message import Instant
from edge.contract.topics import CHANNELS, decode

GOLDEN = Path(__file__).parent / "golden"
INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
BOUNDED = settings(max_examples=300, deadline=None, derandomize=True, database=None)

offsets = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("x" * 5_000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@BOUNDED
@given(st.datetimes(timezones=offsets))
def test_every_date_with_its_offset_is_a_moment_in_utc_or_refused(moment):
    try:
        read = INSTANT.validate_json(json.dumps(moment.isoformat()))
    except ValidationError:
        assert moment.year in {1, 9999}
    else:
        assert read == moment
        assert read.utcoffset() == timedelta(0)


def places(tree, path=()):
    """Path of every value in a document."""
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places(value, (*path, key))


def replaced(tree, path, value):
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("name", CHANNELS)
@BOUNDED
@given(data=st.data())
def test_a_message_with_anything_in_any_place_is_read_or_refused_with_a_value_error(name, data):
    tree = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    hostile = replaced(tree, data.draw(st.sampled_from(list(places(tree)))), data.draw(junk))
    try:
        message = decode(CHANNELS[name], json.dumps(hostile).encode())
    except ValueError:
        return
    assert len(message.encode()) <= CHANNELS[name].max_bytes
    assert all(abs(number) <= 2**53 for number in integers(json.loads(message.encode())))


def integers(tree):
    """Every integer in a document, but those in an event's free detail."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from () if key == "detail" else integers(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from integers(value)
    elif isinstance(tree, int):
        yield tree
