"""Messages between the daemon and the process in which a model is tried: a JSON header, then the bytes of arrays.

No pickle: what comes out of a process that runs an unproven model is read like anything else from outside, with bounds.
"""

import json
import struct
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import InferenceFailed

MAX_HEADER_BYTES: Final = 64 * 2**10
MAX_ARRAY_BYTES: Final = 64 * 2**20
MAX_ARRAYS: Final = 4

Array = NDArray[np.uint8]


def send(file: BinaryIO, header: dict[str, Any], *arrays: Array) -> None:
    """Write one message.

    Raises:
        OSError: nobody reads any more.
    """
    content = json.dumps({**header, "shapes": [array.shape for array in arrays]}).encode()
    file.write(struct.pack("<I", len(content)) + content)
    file.writelines(np.ascontiguousarray(array).data for array in arrays)
    file.flush()


def receive(file: BinaryIO) -> tuple[dict[str, Any], list[Array]]:
    """Read one message: its header and its arrays, uint8.

    Raises:
        EOFError: the other side is gone.
        InferenceFailed: what comes is no message.
    """
    (length,) = struct.unpack("<I", _exactly(file, 4))
    if length > MAX_HEADER_BYTES:
        raise InferenceFailed(f"the process of a trial says {length} bytes at once; the model has broken it")
    try:
        header = json.loads(_exactly(file, length))
        shapes = [tuple(int(side) for side in shape) for shape in header["shapes"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InferenceFailed(f"the process of a trial says nothing that is understood: {error}") from error
    if len(shapes) > MAX_ARRAYS or any(min(shape, default=1) < 0 or _size(shape) > MAX_ARRAY_BYTES for shape in shapes):
        raise InferenceFailed(f"the process of a trial gives arrays of {shapes}; the model has broken it")
    return header, [np.frombuffer(_exactly(file, _size(shape)), np.uint8).reshape(shape) for shape in shapes]


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def _exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise EOFError("the other side is gone")
    return content
