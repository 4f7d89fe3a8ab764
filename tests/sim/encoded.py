"""What a network camera sends: JPEG (RFC 2435), H.264 (RFC 6184) and H.265 (RFC 7798), cut into RTP payloads.

The encoder is ffmpeg; what becomes of its pictures on the way is up to the test: where a client joins, what is lost,
what is repeated, what is garbage.
"""

import base64
import re
import shutil
import subprocess
from functools import lru_cache
from typing import Literal, NamedTuple

import cv2
import numpy as np
import pytest

Codec = Literal["h264", "h265"]

CHUNK_BYTES = 1300
QUALITY = 60
FRAME_S = 0.02


class Payload(NamedTuple):
    """The payload of one RTP packet; ``last`` is of its picture."""

    content: bytes
    last: bool


class Stream(NamedTuple):
    """What is sent: ``sdp`` describes it, ``pictures`` are sent in turn, for ever, ``frame_s`` apart."""

    payload_type: int
    sdp: str
    pictures: tuple[tuple[Payload, ...], ...]
    frame_s: float = FRAME_S

    def from_picture(self, first: int) -> "Stream":
        """The same, joined at another picture."""
        return self._replace(pictures=self.pictures[first:] + self.pictures[:first])


def jpeg_stream(width_px: int, height_px: int) -> Stream:
    """One grey gradient, again and again."""
    gradient = np.add.outer(np.arange(height_px), np.arange(width_px)) % 256
    picture = np.repeat(gradient.astype(np.uint8)[..., None], 3, axis=2)
    scan = _scan_of(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
    size_blocks = width_px // 8, height_px // 8
    payloads = tuple(
        Payload(
            start.to_bytes(4, "big") + bytes((1, QUALITY, *size_blocks)) + scan[start : start + CHUNK_BYTES],
            start + CHUNK_BYTES >= len(scan),
        )
        for start in range(0, len(scan), CHUNK_BYTES)
    )
    return Stream(26, "m=video 0 RTP/AVP 26\r\n", (payloads,))


@lru_cache(maxsize=8)
def video_stream(
    codec: Codec, *, frames: int = 60, key_every: int = 30, width_px: int = 320, height_px: int = 240
) -> Stream:
    """A moving test picture with noise, so that no two pictures are alike; a key frame every ``key_every``."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("apt install ffmpeg")
    units = [unit for unit in re.split(b"\0\0\0?\1", _encoded(codec, frames, key_every, width_px, height_px)) if unit]
    pictures: list[list[bytes]] = []
    for unit in units:
        if _kind(codec, unit) == DELIMITER[codec]:
            pictures.append([])
        else:
            pictures[-1].append(unit)
    sets = {_kind(codec, unit): base64.b64encode(unit).decode() for unit in pictures[0]}
    if codec == "h264":
        description = f"H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets[7]},{sets[8]}"
    else:
        description = f"H265/90000\r\na=fmtp:96 sprop-vps={sets[32]};sprop-sps={sets[33]};sprop-pps={sets[34]}"
    sdp = f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {description}\r\n"
    return Stream(96, sdp, tuple(tuple(_payloads(codec, picture)) for picture in pictures))


def garbage(stream: Stream) -> Stream:
    """The same packets of the same lengths and headers, filled with nothing that means anything."""
    random = np.random.default_rng(7)
    return stream._replace(
        pictures=tuple(
            tuple(Payload(part.content[:3] + random.bytes(len(part.content) - 3), part.last) for part in picture)
            for picture in stream.pictures
        )
    )


DELIMITER = {"h264": 9, "h265": 35}


def _encoded(codec: Codec, frames: int, key_every: int, width_px: int, height_px: int) -> bytes:
    keys = f"keyint={key_every}:min-keyint={key_every}:scenecut=0:bframes=0"
    encoder = {
        "h264": ["libx264", "-x264-params", f"{keys}:slices=4:sliced-threads=0", "-bsf:v", "h264_metadata=aud=insert"],
        "h265": ["libx265", "-x265-params", f"{keys}:slices=4:log-level=none", "-bsf:v", "hevc_metadata=aud=insert"],
    }[codec]
    source = f"testsrc2=size={width_px}x{height_px}:rate=25,noise=alls=12:allf=t"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", str(frames), "-pix_fmt", "yuv420p"]
    raw = ["-preset", "ultrafast", "-f", {"h264": "h264", "h265": "hevc"}[codec], "-"]
    return subprocess.run([*command, "-c:v", *encoder, *raw], capture_output=True, check=True, timeout=60).stdout


def _kind(codec: Codec, unit: bytes) -> int:
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


def _payloads(codec: Codec, units: list[bytes]) -> list[Payload]:
    cut = [fragment for unit in units for fragment in _fragments(codec, unit)]
    return [Payload(fragment, number == len(cut) - 1) for number, fragment in enumerate(cut)]


def _fragments(codec: Codec, unit: bytes) -> list[bytes]:
    """One unit as it is, or fragmentation units: FU-A of RFC 6184, 5.8; FU of RFC 7798, 4.4.3."""
    if len(unit) <= CHUNK_BYTES:
        return [unit]
    header = {"h264": bytes((unit[0] & 0xE0 | 28,)), "h265": bytes((unit[0] & 0x81 | 49 << 1, unit[1]))}[codec]
    body = unit[len(header) :]
    starts = range(0, len(body), CHUNK_BYTES)
    return [
        header
        + bytes(((start == 0) << 7 | (start == starts[-1]) << 6 | _kind(codec, unit),))
        + body[start : start + CHUNK_BYTES]
        for start in starts
    ]


def _scan_of(jpeg: bytes) -> bytes:
    """The entropy-coded part: RFC 2435 sends nothing else, as the receiver knows the standard tables."""
    start = jpeg.index(b"\xff\xda")
    length = int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[start + 2 + length : -2]
