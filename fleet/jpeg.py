"""Whether bytes are a JPEG, and of which size: what a browser is handed as one has been looked at. Pure.

Source: ITU-T T.81, B.1.1.3 (markers) and B.2.2 (frame header).
"""

_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
MAX_SIDE_PX = 10_000


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        ValueError: it is no JPEG, it is cut off, or a side is longer than ``MAX_SIDE_PX``.
    """
    if not data.startswith(b"\xff\xd8\xff") or not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise ValueError("no JPEG: it does not begin and end as one")
    place = 2
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker in _FRAMES:
            height, width = (
                int.from_bytes(data[place + 5 : place + 7], "big"),
                int.from_bytes(data[place + 7 : place + 9], "big"),
            )
            if not 0 < width <= MAX_SIDE_PX or not 0 < height <= MAX_SIDE_PX:
                raise ValueError(f"a JPEG of {width} x {height} pixels")
            return width, height
        place += (
            1
            if marker == 0xFF
            else 2
            if marker in _STANDALONE
            else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        )
    raise ValueError("no JPEG: it has no frame header")
