"""What happens to files on cheap flash."""

import random
from pathlib import Path


def scribble(path: Path, *, first_byte: int = 0, last_byte: int | None = None, seed: int = 1) -> None:
    """Overwrite part of a file with noise; its length stays."""
    end = path.stat().st_size if last_byte is None else last_byte
    with path.open("r+b") as file:
        file.seek(first_byte)
        file.write(random.Random(seed).randbytes(end - first_byte))


def flip_a_bit_of(path: Path, pattern: bytes) -> None:
    """Change one bit inside each occurrence of ``pattern``; deleted copies of it may lie about in the file."""
    changed = bytes([pattern[0] ^ 1]) + pattern[1:]
    content = path.read_bytes()
    assert pattern in content
    path.write_bytes(content.replace(pattern, changed))
