"""The trait vocabulary: what the numbers mean."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from edge.contract.traits import UNIT_TERMS, VOCABULARY, Trait, Unit
from fleet.access import Role, requires
from fleet.api.caching import Revalidated

router = APIRouter(tags=["traits"], route_class=Revalidated, dependencies=[requires(Role.VIEWER)])


class DefinedTrait(BaseModel):
    """One trait of the vocabulary."""

    name: str
    label: str = Field(description="As a dashboard writes it.")
    unit: Unit = Field(description="In which it is measured while the camera is not calibrated.")
    unit_term: str | None = Field(description="The unit in the Units of Measurement Ontology, if it has it.")
    definition: str
    method: str
    entity: str = Field(description="The part of the plant, in the Plant Ontology.")
    term: str | None = Field(description="The nearest term of the Trait or Crop Ontology.")
    exact: bool = Field(description="Whether that term means just this; if not, the definition says the difference.")
    uncertainty: str = Field(description="How a value's one standard deviation was estimated; empty: there is none.")
    plantcv: str | None = Field(description="PlantCV's name for the same measurement.")


@router.get("/traits", operation_id="listTraits")
def list_traits() -> list[DefinedTrait]:
    """Every trait that this release knows, with unit, method and ontology terms."""
    return [_defined(trait) for trait in VOCABULARY.values()]


def _defined(trait: Trait) -> DefinedTrait:
    return DefinedTrait(**trait.model_dump(), unit_term=UNIT_TERMS.get(trait.unit))
