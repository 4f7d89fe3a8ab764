"""What a process on trial says is read with suspicion: never more than was announced, never anything but numbers."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import InferenceFailed
from edge.update.pipe import MAX_HEADER_BYTES, receive, send


def test_a_message_comes_out_as_it_went_in():
    file = io.BytesIO()
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    send(file, {"do": "look"}, picture[:, ::2], picture[:0])
    file.seek(0)
    header, arrays = receive(file)
    assert header["do"] == "look"
    np.testing.assert_array_equal(arrays[0], picture[:, ::2])
    assert arrays[1].shape == (0, 4, 3)


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_nonsense_is_a_typed_error(content):
    with pytest.raises((EOFError, InferenceFailed)):
        receive(io.BytesIO(struct.pack("<I", len(content)) + content))


@pytest.mark.parametrize("shapes", [[[2**40]], [[-1, 5]], [[1]] * 9, "x", [["a"]], [[2**20, 2**20]]])
def test_arrays_that_would_fill_memory_are_refused(shapes):
    header = json.dumps({"shapes": shapes}).encode()
    with pytest.raises(InferenceFailed):
        receive(io.BytesIO(struct.pack("<I", len(header)) + header + b"\0" * 100))


def test_a_header_that_would_fill_memory_is_refused():
    with pytest.raises(InferenceFailed, match="at once"):
        receive(io.BytesIO(struct.pack("<I", MAX_HEADER_BYTES + 1)))
