"""Records as bytes."""

import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.batches import MAX_RECORD_BYTES, MAX_TEXT_CHARS, Row, batches, body_of
from edge.contract.records import Event, EventKind, Observation, Outcome, TraitValue
from edge.contract.topics import EVENT, OBS, decode
from edge.contract.traits import Unit
from tests.sim.records import clock, event, observation

EPOCH = "0123456789abcdef" * 2


def row(seq: int, record: Observation | Event, first_seq: int | None = None) -> Row:
    if isinstance(record, Observation):
        return Row(EPOCH, seq, first_seq, "obs", record.camera, body_of(record))
    return Row(EPOCH, seq, first_seq, "event", None, body_of(record))


def test_what_is_sent_reads_back_as_what_was_measured():
    (batch,) = batches([row(seq, observation(seq)) for seq in (7, 8, 9)])
    message = decode(OBS, batch.payload)
    assert (batch.channel, batch.camera, message.epoch, message.schema_version) == (OBS, "bench", EPOCH, 1)
    assert [(item.seq, item.first_seq, item.record) for item in message.items] == [
        (seq, None, observation(seq)) for seq in (7, 8, 9)
    ]


def test_a_gap_travels_with_the_range_it_stands_for():
    (batch,) = batches([row(90, Event(kind=EventKind.GAP, clock=clock(), message="lost"), first_seq=11)])
    assert decode(EVENT, batch.payload).items[0].span == (11, 90)


def test_each_camera_and_the_events_travel_in_messages_of_their_own_in_order_of_number():
    records = [observation(1, "b"), observation(2, "a"), event(3), observation(4, "b"), event(5)]
    found = {
        (batch.channel.name, batch.camera): [item.seq for item in decode(batch.channel, batch.payload).items]
        for batch in batches([row(seq, record) for seq, record in enumerate(records, start=1)])
    }
    assert found == {("obs", "a"): [2], ("obs", "b"): [1, 4], ("event", None): [3, 5]}


def test_no_message_is_larger_than_its_channel_allows():
    large = [TraitValue(trait="area", value=1.0, unit=Unit.PX2, method="m" * 1_000) for _ in range(200)]
    rows = [row(seq, observation(seq).model_copy(update={"traits": tuple(large)})) for seq in range(1, 21)]
    sent = list(batches(rows))
    assert len(sent) > 1
    numbers = [item.seq for batch in sent for item in decode(OBS, batch.payload).items]
    assert numbers == list(range(1, 21))


@pytest.mark.parametrize("text", ["x" * 10**6, "\x00" * 10**6, "🌱" * 10**6, '"\\' * 10**6])
def test_a_long_error_text_is_cut(text):
    failed = observation(1).model_copy(update={"error": text, "outcome": Outcome.FAILED})
    read = Observation.model_validate_json(body_of(failed))
    assert read.error.startswith(text[:MAX_TEXT_CHARS])
    assert len(read.error) < MAX_TEXT_CHARS + 40
    assert Event.model_validate_json(body_of(event(1).model_copy(update={"message": text}))).message.startswith(
        text[:MAX_TEXT_CHARS]
    )


def test_a_reading_too_large_for_any_message_becomes_a_failed_reading_of_the_same_plot():
    large = tuple(TraitValue(trait="area", value=1.0, unit=Unit.PX2, method="m" * 1_000) for _ in range(1_000))
    body = body_of(observation(5).model_copy(update={"traits": large}))
    read = Observation.model_validate_json(body)
    assert len(body) < MAX_RECORD_BYTES
    assert (read.outcome, read.traits, read.plot, read.frame_id) == (Outcome.FAILED, (), observation(5).plot, 5)
    assert str(MAX_RECORD_BYTES) in read.error


def test_an_event_too_large_for_any_message_keeps_its_kind():
    read = Event.model_validate_json(body_of(event(5).model_copy(update={"detail": {"dump": "x" * 10**6}})))
    assert (read.kind, read.detail) == (EventKind.CAMERA_LOST, {})


@given(text=st.text(max_size=300), detail=st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5))
@hypothesis_settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_any_text_survives_the_journey(text, detail):
    sent = Event(kind=EventKind.STARTED, clock=clock(), message=text, detail=detail)
    (batch,) = batches([row(1, sent)])
    assert decode(EVENT, batch.payload).items[0].record == sent


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_trait_that_is_no_number_becomes_a_failed_reading_that_the_fleet_takes(value):
    good = observation(1)
    trait = TraitValue.model_construct(trait="leaf_count", value=value, unit=Unit.COUNT, method="")
    read = Observation.model_validate_json(body_of(good.model_copy(update={"traits": (trait,)})))
    assert (read.outcome, read.traits, read.frame_id) == (Outcome.FAILED, (), 1)
    assert "leaf_count" in read.error
