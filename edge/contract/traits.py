"""The trait vocabulary: what is measured, of which part of the plant, in which unit, by which method.

Ids: Trait Ontology (TO), Plant Ontology (PO) and Crop Ontology (CO), read from Planteome's releases. ``exact`` says
whether the term means what we measure; a related term does not, and ``method`` says in what it differs. MIAPPE 1.2
calls the plot the observation unit, so a leaf count is a variable *of a plot* whose entity is the leaf.
"""

from enum import Enum

from edge.contract.message import Wire


class Unit(str, Enum):
    """Units of trait values. Uncalibrated lengths and areas are in pixels of the camera's picture, never guessed mm."""

    COUNT = "count"
    PX = "px"
    PX2 = "px2"
    MM = "mm"
    MM2 = "mm2"
    FRACTION = "fraction"
    INDEX = "index"
    DEGREE = "degree"


class Trait(Wire):
    """One entry of the vocabulary."""

    name: str
    label: str
    unit: Unit
    method: str
    entity: str
    term: str | None = None
    exact: bool = False


LEAF, FRUIT, WHOLE_PLANT = "PO:0025034", "PO:0009001", "PO:0000003"

PLANT_COUNT = Trait(
    name="plant_count", label="plants", unit=Unit.COUNT, entity=WHOLE_PLANT,
    method="plant centres found by the network in the plot",
)  # fmt: skip
LEAF_COUNT = Trait(
    name="leaf_count", label="leaves", unit=Unit.COUNT, entity=LEAF, term="TO:0000241", exact=True,
    method="leaf centres found by the network that belong to the plot's plants; visible leaves only",
)  # fmt: skip
FRUIT_COUNT = Trait(
    name="fruit_count", label="fruit", unit=Unit.COUNT, entity=FRUIT, term="TO:0000894", exact=True,
    method="fruit centres found by the network in the plot; visible fruit only",
)  # fmt: skip
PROJECTED_LEAF_AREA = Trait(
    name="projected_leaf_area", label="leaf area", unit=Unit.PX2, entity=LEAF, term="TO:0000540",
    method="area of the plot's leaf pixels as the camera sees them; overlapped leaf is not added (TO: total area)",
)  # fmt: skip
CANOPY_COVER = Trait(
    name="canopy_cover", label="cover", unit=Unit.FRACTION, entity=WHOLE_PLANT, term="CO_330:0000703",
    method="share of the plot's pixels that are plant",
)  # fmt: skip
EXCESS_GREEN = Trait(
    name="excess_green", label="ExG", unit=Unit.INDEX, entity=LEAF, term="TO:0000326",
    method="mean of 2g - r - b over leaf pixels, chromatic coordinates (Woebbecke et al. 1995), colour not calibrated",
)  # fmt: skip
GREEN_LEAF_INDEX = Trait(
    name="green_leaf_index", label="GLI", unit=Unit.INDEX, entity=LEAF, term="TO:0000326",
    method="mean of (2G - R - B) / (2G + R + B) over leaf pixels (Louhaichi et al. 2001), colour not calibrated",
)  # fmt: skip
HUE = Trait(
    name="hue", label="hue", unit=Unit.DEGREE, entity=LEAF, term="TO:0000326",
    method="circular mean of HSV hue over leaf pixels, colour not calibrated",
)  # fmt: skip
CENTROID_X = Trait(
    name="centroid_x", label="x", unit=Unit.PX, entity=WHOLE_PLANT,
    method="centre of mass of the plot's plant pixels, from the left edge of the picture",
)  # fmt: skip
CENTROID_Y = Trait(
    name="centroid_y", label="y", unit=Unit.PX, entity=WHOLE_PLANT,
    method="centre of mass of the plot's plant pixels, from the top edge of the picture",
)  # fmt: skip
EXTENT_X = Trait(
    name="extent_x", label="width", unit=Unit.PX, entity=WHOLE_PLANT, term="TO:1000012",
    method="width of the upright box around the plot's plant pixels",
)  # fmt: skip
EXTENT_Y = Trait(
    name="extent_y", label="height", unit=Unit.PX, entity=WHOLE_PLANT, term="TO:1000012",
    method="height of the upright box around the plot's plant pixels, in the picture",
)  # fmt: skip

VOCABULARY: dict[str, Trait] = {
    trait.name: trait
    for trait in (
        PLANT_COUNT, LEAF_COUNT, FRUIT_COUNT, PROJECTED_LEAF_AREA, CANOPY_COVER, EXCESS_GREEN, GREEN_LEAF_INDEX, HUE,
        CENTROID_X, CENTROID_Y, EXTENT_X, EXTENT_Y,
    )
}  # fmt: skip
"""Every trait by its name on the wire."""
