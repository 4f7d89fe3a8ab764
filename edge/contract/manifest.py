"""The manifest of a model package: what the graph takes and gives, and where the model came from."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.contract.message import Digest, Instant, Message, Name, Wire

MANIFEST_FILE = "manifest.json"

Precision = Literal["fp32", "fp16", "int8.trt", "int8.cpu"]


class GraphInput(Wire):
    """The one input, ``image``: uint8 [1, height_px, width_px, 3], BGR."""

    height_px: Annotated[int, Field(ge=32, le=4096, multiple_of=4)]
    width_px: Annotated[int, Field(ge=32, le=4096, multiple_of=4)]


class Thing(Wire):
    """A class that is counted by the peaks of its centre heatmap.

    ``part_of`` names the thing that it belongs to (a leaf is part of a plant). ``grouped`` says that ``offsets`` point
    to the centres of this thing, so that it has instances; one thing of a model may be grouped. ``classes`` are those
    that its cells can have (fruit, not the leaf beside it); without any, every plant class.
    """

    name: Name
    threshold: Annotated[float, Field(gt=0, lt=1)]
    part_of: Name | None = None
    grouped: bool = False
    classes: tuple[Name, ...] = ()
    count_trait: Name


class FileEntry(Wire):
    """A file of the package, as it must be found."""

    sha256: Digest
    length_bytes: Annotated[int, Field(ge=1, le=256 * 2**20)]


class Tolerances(Wire):
    """How far a runtime's answers on the golden frames may lie from those that the package recorded.

    ``least_equal_classes``: share of cells whose class must be the same; runtimes round differently where two classes
    are equally likely. ``most_score_change``: relative change in the sum of the peaks' scores; a peak lost or gained
    shows, a rounding does not.
    """

    least_equal_classes: Annotated[float, Field(ge=0.9, le=1)] = 0.99
    most_score_change: Annotated[float, Field(ge=0, le=0.25)] = 0.05


class Lineage(Wire):
    """Where a model came from; ``calibration`` is the digest of the pictures, as fitted, that set its INT8 scales."""

    dataset: Digest | None = None
    calibration: Digest | None = None
    run_id: str | None = None
    git_commit: str | None = None
    created_at: Instant


class Manifest(Message):
    """Describes one model package.

    ``classes`` are the values of the graph's ``classes`` output, background first; ``plant_classes`` those that count
    as plant. ``things`` are the values of column 3 of ``centers``, in order.
    """

    name: Name
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    input: GraphInput
    grid_stride_px: Literal[4] = 4
    classes: Annotated[tuple[Name, ...], Field(min_length=2, max_length=64)]
    plant_classes: Annotated[tuple[Name, ...], Field(min_length=1)]
    things: Annotated[tuple[Thing, ...], Field(min_length=1, max_length=16)]
    top_k: Annotated[int, Field(ge=1, le=4096)]
    features: Annotated[int, Field(ge=1, le=4096)]
    traits: tuple[Name, ...]
    files: dict[str, FileEntry]
    models: dict[Precision, str]
    lineage: Lineage
    tolerances: Tolerances = Tolerances()
    metrics: dict[str, dict[str, float]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        unknown = set(self.plant_classes) - set(self.classes)
        if unknown:
            raise ValueError(f"plant_classes names {sorted(unknown)}, which classes {list(self.classes)} lacks")
        unknown = {name for thing in self.things for name in thing.classes} - set(self.plant_classes)
        if unknown:
            raise ValueError(f"things have classes {sorted(unknown)}, which plant_classes lacks")
        things = [thing.name for thing in self.things]
        orphans = {thing.part_of for thing in self.things if thing.part_of} - set(things)
        if orphans:
            raise ValueError(f"part_of names {sorted(orphans)}, which things {things} lacks")
        if sum(thing.grouped for thing in self.things) > 1:
            raise ValueError("only one thing can be grouped: offsets point to the centres of one")
        missing = set(self.models.values()) - set(self.files)
        if missing:
            raise ValueError(f"models names {sorted(missing)}, which files lacks")
        return self
