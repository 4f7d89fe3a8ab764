"""What every format of labelled photographs is read into."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edge.contract.message import Digest
from edge.errors import ConfigError
from training.datasets.runlength import RunLengths


class DatasetInvalid(ConfigError):
    """Labelled photographs that cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One thing that somebody marked.

    Attributes:
        category: what it is, by the annotator's word.
        box: left, top, width and height in pixels.
        mask: its pixels; None where only the box was drawn.
        crowd: many things at once, which nobody counted.
    """

    category: str
    box: tuple[float, float, float, float]
    mask: RunLengths | None
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A photograph, ``name`` under the dataset's folder, and what was marked in it."""

    name: str
    height_px: int
    width_px: int
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True)
class Dataset:
    """Labelled photographs.

    Attributes:
        source: the file or folder that was named; errors name it.
        folder: where the pictures' names begin.
        categories: everything that annotators looked for.
    """

    source: Path
    folder: Path
    categories: tuple[str, ...]
    pictures: tuple[Picture, ...]

    def only(self, pictures: Sequence[Picture]) -> "Dataset":
        """The same with some of its pictures."""
        return Dataset(self.source, self.folder, self.categories, tuple(pictures))

    @cached_property
    def digest(self) -> Digest:
        """Names the content: every picture's bytes and every annotation, wherever they lie."""
        content = hashlib.sha256(repr(self.categories).encode())
        for picture in sorted(self.pictures, key=lambda picture: picture.name):
            content.update(hashlib.sha256(self.bytes_of(picture)).digest())
            content.update(repr((picture.name, picture.annotations)).encode())
        return f"sha256:{content.hexdigest()}"

    def bytes_of(self, picture: Picture) -> bytes:
        """The file of a picture.

        Raises:
            DatasetInvalid: it cannot be read.
        """
        try:
            return (self.folder / picture.name).read_bytes()
        except OSError as error:
            raise DatasetInvalid(
                f"{self.source} names {picture.name}, which cannot be read ({error}); "
                f"put the pictures under {self.folder}, or take it out of the annotations"
            ) from error
