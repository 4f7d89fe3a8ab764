"""The drift reference of a package: what its pictures and its answers look like when all is well."""

from typing import Annotated

from pydantic import Field, model_validator

from edge.contract.message import Digest, Message, Name, Wire

REFERENCE_FILE = "reference.json"
BINS = 10

Share = Annotated[float, Field(ge=0, le=1)]


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


class Reference(Message):
    """Distributions by the name of the statistic, and the middle of the graph's ``features``.

    ``bands`` has those of pictures of one light each, as far as there were enough of it; ``statistics`` are of all.

    ``model`` is the digest of the ONNX file that answered, ``data`` names the pictures, ``pictures`` is how many they
    were; ``features_mean`` and ``features_deviation`` have one value for each of the graph's features.
    """

    model: Digest
    data: Digest
    pictures: Annotated[int, Field(ge=1)]
    statistics: dict[Name, Distribution]
    bands: dict[Name, dict[Name, Distribution]] = Field(default_factory=dict)
    features_mean: tuple[float, ...]
    features_deviation: tuple[float, ...]

    def of(self, band: str) -> dict[str, Distribution]:
        """What pictures of a light are compared with."""
        return self.bands.get(band, self.statistics)
