"""A program of the grower's own that hides in a picture what nobody shall see, such as faces.

It gets the picture on its standard input and gives the filtered one on its standard output, both as binary PPM (P6,
8 bits a channel, RGB), which every picture library reads and which has one size for one picture. Whatever it does
otherwise, the picture is not kept.
"""

import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

NICENESS = 10
CHUNK_BYTES = 2**20
MAX_COMPLAINT_BYTES = 300
MAX_HEADER_BYTES = 256

_HEADER = re.compile(rb"P6\s(?:#[^\n]*\n)*\s*(\d{1,5})\s+(\d{1,5})\s+255\s")


class FilterFailed(ValueError):
    """The filter gave no picture that can be kept."""


def filtered(pixels: NDArray[np.uint8], command: Sequence[str], within_s: float) -> NDArray[np.uint8]:
    """A picture, uint8 [H, W, 3] BGR, as the filter gives it back.

    Raises:
        FilterFailed: it could not be started, took too long, ended with an error, or gave no such picture.
    """
    height, width = pixels.shape[:2]
    header = b"P6\n%d %d\n255\n" % (width, height)
    answer = _answer(header + pixels[:, :, ::-1].tobytes(), command, within_s, MAX_HEADER_BYTES + pixels.size)
    found = _HEADER.match(answer)
    if found is None:
        raise FilterFailed(f"{command[0]} gave no PPM picture (P6, 255)")
    size = int(found[1]), int(found[2])
    if size != (width, height) or len(answer) - found.end() != pixels.size:
        raise FilterFailed(
            f"{command[0]} gave a picture of {size[0]} x {size[1]} px in {len(answer)} bytes; it must keep its "
            f"{width} x {height} px"
        )
    rgb = np.frombuffer(answer, np.uint8, offset=found.end()).reshape(height, width, 3)
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _answer(picture: bytes, command: Sequence[str], within_s: float, max_bytes: int) -> bytes:
    """What a program makes of its input. It and what it started are gone when this returns."""
    until_s = time.monotonic() + within_s
    with _in_memory(picture) as stdin:
        try:
            process = subprocess.Popen(  # noqa: S603 - the device's own file names it
                command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise FilterFailed(f"{command[0]} cannot be started: {error}") from error
    with process:
        try:
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
            answer, complaint = _read(process, until_s, max_bytes)
            code = process.wait(max(0.0, until_s - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise FilterFailed(f"{command[0]} took more than {within_s} s") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code != 0:
        said = complaint.decode(errors="replace").strip()
        raise FilterFailed(f"{command[0]} ended with {code}{': ' if said else ''}{said}")
    return answer


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """A file that is never on a disk, at its beginning: what nobody shall see is written nowhere."""
    descriptor = os.memfd_create("picture")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _read(process: "subprocess.Popen[bytes]", until_s: float, max_bytes: int) -> tuple[bytes, bytes]:
    """Both outputs until they end: all of the first, the beginning of the second.

    Raises:
        TimeoutError: they did not end in time.
        FilterFailed: the first is longer than any picture of this size.
    """
    assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - for the type checker
    answer, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, answer)
        selector.register(process.stderr, selectors.EVENT_READ, complaint)
        while selector.get_map():
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            for key, _ in selector.select(left_s):
                chunk = os.read(key.fd, CHUNK_BYTES)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
            del complaint[MAX_COMPLAINT_BYTES:]
            if len(answer) > max_bytes:
                raise FilterFailed(f"the privacy filter gave more than the {max_bytes} bytes of a picture of this size")
    return bytes(answer), bytes(complaint)
