import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.message import Message
from edge.contract.topics import ACK, CHANNELS, OBS, ROOT, Address, decode, parse_topic, subscription

channels = st.sampled_from(list(CHANNELS.values()))
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
levels = st.sampled_from(["canopy", "v1", "north", "pi-1", "bench", "", "+", "#", "..", *CHANNELS]) | st.text(
    max_size=70
)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(names, names, channels, names)
def test_an_address_survives_its_topic(site, device, channel, camera):
    address = Address(site, device, channel, camera if channel.per_camera else None)
    assert parse_topic(str(address)) == address


@given(st.lists(levels, max_size=8).map("/".join) | st.text())
def test_any_text_is_a_topic_of_ours_or_a_value_error(topic):
    try:
        address = parse_topic(topic)
    except ValueError:
        return
    assert str(address) == topic


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "canopy",
        "canopy/v1",
        "canopy/v2/north/pi/state",
        "other/v1/north/pi/state",
        "canopy/v1/north/pi/secrets",
        "canopy/v1/north/pi/state/bench",
        "canopy/v1/north/pi/obs",
        "canopy/v1/north/pi/obs/bench/deep",
        "canopy/v1/+/pi/state",
        "canopy/v1/north//state",
        "canopy/v1/north/pi/obs/..",
        "canopy/v1/north/pi/obs/bench\n",
        "/canopy/v1/north/pi/state",
    ],
)
def test_a_foreign_topic_is_refused(topic):
    with pytest.raises(ValueError, match=r"not a topic|a name that is none"):
        parse_topic(topic)


def test_a_subscription_names_what_it_wants():
    assert subscription(OBS) == f"{ROOT}/+/+/obs/+"
    assert subscription(ACK, "north", "pi-1") == f"{ROOT}/north/pi-1/ack"


@settings(max_examples=300)
@given(channels, st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_message_or_a_value_error(channel, payload):
    try:
        message = decode(channel, payload)
    except ValueError:
        return
    assert isinstance(message, channel.payload)


@settings(max_examples=300)
@given(channels, st.data())
def test_a_message_with_any_json_in_any_field_is_read_or_a_value_error(channel, data):
    import json

    fields = [field.alias or name for name, field in channel.payload.model_fields.items()]
    tree = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_like)))
    try:
        message = decode(channel, json.dumps(tree).encode())
    except ValueError:
        return
    assert isinstance(message, Message)
    assert decode(channel, message.encode()) == message


@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)
def test_an_oversized_payload_is_refused_unread(channel):
    with pytest.raises(ValueError, match=f"{channel.max_bytes + 1} bytes on {channel.name}"):
        decode(channel, b" " * (channel.max_bytes + 1))


def test_json_nested_too_deep_is_refused():
    with pytest.raises(ValueError, match=r"recursion|Invalid JSON"):
        decode(ACK, b'{"epoch":' + b"[" * 2000 + b"]" * 2000 + b"}")
