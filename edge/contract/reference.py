"""The drift reference of a package: what its pictures and its answers look like when all is well."""

from typing import Annotated

from pydantic import Field, model_validator

from edge.contract.message import Digest, Message, Name, Wire

REFERENCE_FILE = "reference.json"
BINS = 10

Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=2, max_length=64)]
"""Of a number that the whole can be smaller than."""


class Distribution(Wire):
    """One statistic over the reference pictures.

    ``edges`` are the inner borders of its bins, by the reference's own quantiles: a window is compared bin by bin with
    ``shares``. Equal quantiles leave a bin empty, so the shares are kept and not assumed.
    """

    edges: Annotated[tuple[float, ...], Field(min_length=BINS - 1, max_length=BINS - 1)]
    shares: Annotated[tuple[Share, ...], Field(min_length=BINS, max_length=BINS)]
    mean: float
    standard_deviation: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _rising(self) -> "Distribution":
        if list(self.edges) != sorted(self.edges):
            raise ValueError("edges must rise")
        return self


class CountErrors(Wire):
    """How far counts of a thing were off on pictures whose truth is known, by how sure the model was of what it found.

    At each of ``scores``, the mean score of what was found in a picture, ``middle`` is the mean absolute error as a
    share of the number found; nine pictures of ten lay between ``low`` and ``high``. The surer, the nearer: none of
    them rises. ``pictures`` is how many there were, the faults done to them counted.
    """

    scores: Annotated[tuple[Share, ...], Field(min_length=2, max_length=64)]
    middle: Shares
    low: Shares
    high: Shares
    pictures: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _in_order(self) -> "CountErrors":
        if list(self.scores) != sorted(set(self.scores)):
            raise ValueError("scores must rise")
        for line in (self.low, self.middle, self.high):
            if len(line) != len(self.scores) or list(line) != sorted(line, reverse=True):
                raise ValueError("low, middle and high must have a value for each score, and must not rise")
        if any(not a <= b <= c for a, b, c in zip(self.low, self.middle, self.high, strict=True)):
            raise ValueError("middle must lie between low and high")
        return self


class Reference(Message):
    """Distributions by the name of the statistic, and the middle of the graph's ``features``.

    ``bands`` has those of pictures of one light each, as far as there were enough of it; ``statistics`` are of all.

    ``model`` is the digest of the ONNX file that answered, ``data`` names the pictures, ``pictures`` is how many they
    were; ``features_mean`` and ``features_deviation`` have one value for each of the graph's features. ``count_errors``
    tells of a thing how far its counts may be off; of one that is not there, nothing is known.
    """

    model: Digest
    data: Digest
    pictures: Annotated[int, Field(ge=1)]
    statistics: dict[Name, Distribution]
    bands: dict[Name, dict[Name, Distribution]] = Field(default_factory=dict)
    features_mean: tuple[float, ...]
    features_deviation: tuple[float, ...]
    count_errors: Annotated[dict[Name, CountErrors], Field(max_length=16)] = Field(default_factory=dict)

    def of(self, band: str) -> dict[str, Distribution]:
        """What pictures of a light are compared with."""
        return self.bands.get(band, self.statistics)
