"""What a model's numbers mean: its classes, what it counts, which traits it gives. Part of a run's YAML."""

from datetime import datetime, timezone
from functools import cached_property

from pydantic import BaseModel, ConfigDict, model_validator

from edge.contract.manifest import GraphInput, Lineage, Manifest, Thing


class ModelSpec(BaseModel):
    """Everything about a model that a device must be told, before it has any files; the fields are the manifest's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    classes: tuple[str, ...]
    plant_classes: tuple[str, ...]
    things: tuple[Thing, ...]
    traits: tuple[str, ...]

    @model_validator(mode="after")
    def _admissible(self) -> "ModelSpec":
        """What no manifest would admit is refused here, before hours of training; so is a model without instances."""
        nowhere = Lineage(created_at=datetime(2000, 1, 1, tzinfo=timezone.utc))
        self.manifest(size_px=512, top_k=1, features=1, version="0.0.0", lineage=nowhere)
        if not any(thing.grouped for thing in self.things):
            raise ValueError("one of the things must be grouped: offsets have to point to something")
        return self

    @classmethod
    def of(cls, manifest: Manifest) -> "ModelSpec":
        """What a package's numbers mean."""
        return cls.model_validate(manifest.model_dump(include=set(cls.model_fields)))

    def answers_as(self, other: "ModelSpec") -> bool:
        """Whether both have the same classes and count the same things, so that their answers can be held together."""
        return (self.classes, self.thing_names) == (other.classes, other.thing_names)

    def manifest(self, *, size_px: int, top_k: int, features: int, version: str, lineage: Lineage) -> Manifest:
        """The manifest of such a model; files, models and metrics are the packager's to add."""
        return Manifest(
            **self.model_dump(),
            version=version,
            input=GraphInput(height_px=size_px, width_px=size_px),
            top_k=top_k,
            features=features,
            files={},
            models={},
            lineage=lineage,
        )

    @cached_property
    def grouped(self) -> int:
        """Index of the thing that offsets point to."""
        return next(index for index, thing in enumerate(self.things) if thing.grouped)

    @property
    def thing_names(self) -> tuple[str, ...]:
        """Names of the things, in the order of the heatmaps."""
        return tuple(thing.name for thing in self.things)

    def classes_of(self, thing: Thing) -> list[int]:
        """Classes that a pixel of a thing may have; none for a thing that is only a place, like a plant of leaves."""
        return [self.classes.index(name) for name in thing.classes]
