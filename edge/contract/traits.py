"""The trait vocabulary: what is measured, of which part of the plant, in which unit, by which method, how surely.

Ids: Trait Ontology (TO), Plant Ontology (PO), Crop Ontology (CO) and Units of Measurement Ontology (UO), read from
their releases. ``exact`` says whether the term means what we measure; a related term does not, and ``definition`` says
in what it differs. MIAPPE 1.2 calls the plot the observation unit, so a leaf count is a variable *of a plot* whose
entity is the leaf. Traits that PlantCV 4 measures too are defined as there and give its name for them.
"""

from collections.abc import Iterable
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
    DAY = "day"
    PER_DAY = "1/day"


UNIT_TERMS = {
    Unit.COUNT: "UO:0000189",
    Unit.MM: "UO:0000016",
    Unit.MM2: "UO:0000082",
    Unit.FRACTION: "UO:0000191",
    Unit.INDEX: "UO:0000186",
    Unit.DEGREE: "UO:0000185",
    Unit.DAY: "UO:0000033",
}
"""Ids of the units; UO has none for a pixel of a picture, nor for one over a day."""


class Trait(Wire):
    """One entry of the vocabulary.

    ``definition`` is for people, ``method`` travels with every value: what one must know to compare it with another.
    ``uncertainty`` tells how the one standard deviation beside a value was estimated; without it there is none, since
    nothing that the device knows bounds the error. ``plantcv`` is PlantCV's name for the same measurement.
    """

    name: str
    label: str
    unit: Unit
    definition: str
    method: str
    entity: str
    term: str | None = None
    exact: bool = False
    uncertainty: str = ""
    plantcv: str | None = None


LEAF, FRUIT, WHOLE_PLANT = "PO:0025034", "PO:0009001", "PO:0000003"

_BY_SCORES = "square root of the sum of p (1 - p) over the scores p of what was counted; what was missed is not in it"
_BY_EDGE = "0.5 px of the network's input along the whole edge"
_BY_ENDS = "1 px of the network's input at each end"
_BY_MEAN = "standard error of that mean; none for a single leaf"

PLANT_COUNT = Trait(
    name="plant_count", label="plants", unit=Unit.COUNT, entity=WHOLE_PLANT,
    method="centres found by the network",
    definition="plant centres found by the network in the plot",
    uncertainty=_BY_SCORES,
)  # fmt: skip
LEAF_COUNT = Trait(
    name="leaf_count", label="leaves", unit=Unit.COUNT, entity=LEAF, term="TO:0000241", exact=True,
    method="centres found by the network, visible leaves only",
    definition="leaf centres found by the network that belong to the plot's plants; visible leaves only",
    uncertainty=_BY_SCORES,
)  # fmt: skip
LEAF_COUNT_FOLLOWED = Trait(
    name="leaf_count_followed", label="leaves, followed", unit=Unit.COUNT, entity=LEAF, term="TO:0000241",
    method="centres found now, or in three looks within three days",
    definition="leaf centres found now, and leaves that were found at their place around the plant in at least three "
    "looks, three hours apart, the last of them not three days ago: covered or missed now (TO: all leaves)",
    uncertainty="as of the visible leaves, with a variance of 0.25 for each that is not found now",
)  # fmt: skip
FRUIT_COUNT = Trait(
    name="fruit_count", label="fruit", unit=Unit.COUNT, entity=FRUIT, term="TO:0000894", exact=True,
    method="centres found by the network, visible fruit only",
    definition="fruit centres found by the network in the plot; visible fruit only",
    uncertainty=_BY_SCORES,
)  # fmt: skip


def _ripeness_count(stage: str, surface: str, classes: str) -> Trait:
    return Trait(
        name=f"fruit_count_{stage}", label=f"{stage} fruit", unit=Unit.COUNT, entity=FRUIT, term="TO:0002633",
        method=f"surface {surface}, not calibrated",
        definition=f"fruit whose seen surface is {surface}: {classes} of 7 CFR 51.1860; changed is a HSV hue from 300 "
        "to 60 degrees, where green ends, red one to 36, not calibrated; a fruit of which too little is seen, or in "
        "purple light, is in no class (TO: ripening)",
        uncertainty="as of the fruit, with half of what all hues 16 degrees off to either side (4 if corrected) would "
        "change, and a variance of 2/9 for each fruit in no class",
    )  # fmt: skip


FRUIT_COUNT_GREEN = _ripeness_count("green", "changed on at most 5 %", "green")
FRUIT_COUNT_TURNING = _ripeness_count(
    "turning", "changed on over 5 %, red on at most 60 %", "breakers, turning and pink"
)
FRUIT_COUNT_RIPE = _ripeness_count("ripe", "red on over 60 %", "light red and red")

PROJECTED_LEAF_AREA = Trait(
    name="projected_leaf_area", label="leaf area", unit=Unit.PX2, entity=LEAF, term="TO:0000540", plantcv="area",
    method="pixels seen by the camera, overlap not added",
    definition="area of the plot's leaf pixels as the camera sees them; overlapped leaf is not added (TO: total "
    "area)",
    uncertainty=_BY_EDGE,
)  # fmt: skip
CANOPY_COVER = Trait(
    name="canopy_cover", label="cover", unit=Unit.FRACTION, entity=WHOLE_PLANT, term="CO_330:0000703",
    method="plant pixels in the plot / pixels of the plot",
    definition="share of the plot's pixels that are plant",
    uncertainty=_BY_EDGE,
)  # fmt: skip
CONVEX_HULL_AREA = Trait(
    name="convex_hull_area", label="hull area", unit=Unit.PX2, entity=WHOLE_PLANT, term="TO:1000012",
    plantcv="convex_hull_area",
    method="hull of the outline, as PlantCV 4",
    definition="area of the convex hull of the middles of the plants' outline pixels",
    uncertainty="0.5 px of the network's input along the hull",
)  # fmt: skip
SOLIDITY = Trait(
    name="solidity", label="solidity", unit=Unit.INDEX, entity=WHOLE_PLANT, plantcv="solidity",
    method="leaf area / hull area, as PlantCV 4",
    definition="leaf area / hull area; above 1 for small compact plants, as the hull runs through pixels' middles",
    uncertainty="that of the leaf area; the hull's is smaller and of the same sign",
)  # fmt: skip
PERIMETER = Trait(
    name="perimeter", label="perimeter", unit=Unit.PX, entity=WHOLE_PLANT, term="TO:1000012", plantcv="perimeter",
    method="outline on the network's input, as PlantCV 4",
    definition="length of the outline through its pixels' middles, closed; over pieces that do not touch it goes on "
    "from one to the next; longer in finer pictures",
)  # fmt: skip
COMPACTNESS = Trait(
    name="compactness", label="compactness", unit=Unit.INDEX, entity=WHOLE_PLANT,
    method="4 pi leaf area / perimeter^2",
    definition="4 pi leaf area / perimeter^2; near 1 for a disc, less for lobes and gaps",
)  # fmt: skip
EXTENT_X = Trait(
    name="extent_x", label="width", unit=Unit.PX, entity=WHOLE_PLANT, term="TO:1000012", plantcv="width",
    method="upright box in the picture, as PlantCV 4",
    definition="width of the upright box around the plot's plant pixels",
    uncertainty=_BY_ENDS,
)  # fmt: skip
EXTENT_Y = Trait(
    name="extent_y", label="height", unit=Unit.PX, entity=WHOLE_PLANT, term="TO:1000012", plantcv="height",
    method="upright box in the picture, as PlantCV 4",
    definition="height of the upright box around the plot's plant pixels, in the picture",
    uncertainty=_BY_ENDS,
)  # fmt: skip
EXTENT = Trait(
    name="extent", label="box fill", unit=Unit.FRACTION, entity=WHOLE_PLANT,
    method="leaf area / area of the upright box",
    definition="leaf area / area of the upright box around it; changes as the plant is turned",
)  # fmt: skip
WIDTH = Trait(
    name="width", label="plant width", unit=Unit.PX, entity=WHOLE_PLANT, term="TO:0006062", plantcv="width",
    method="upright box, seen from the side, as PlantCV 4",
    definition="from the side: width of the upright box around the plants (TO: average width across the stem)",
    uncertainty=_BY_ENDS,
)  # fmt: skip
HEIGHT = Trait(
    name="height", label="plant height", unit=Unit.PX, entity=WHOLE_PLANT, term="TO:0000207", exact=True,
    plantcv="height",
    method="upright box, seen from the side, as PlantCV 4",
    definition="from the side: height of the upright box around the plants",
    uncertainty=_BY_ENDS,
)  # fmt: skip
CENTROID_X = Trait(
    name="centroid_x", label="x", unit=Unit.PX, entity=WHOLE_PLANT, plantcv="center_of_mass",
    method="centre of mass of the pixels",
    definition="centre of mass of the plot's plant pixels, from the left edge of the picture",
)  # fmt: skip
CENTROID_Y = Trait(
    name="centroid_y", label="y", unit=Unit.PX, entity=WHOLE_PLANT, plantcv="center_of_mass",
    method="centre of mass of the pixels",
    definition="centre of mass of the plot's plant pixels, from the top edge of the picture",
)  # fmt: skip
LEAF_LENGTH = Trait(
    name="leaf_length", label="leaf length", unit=Unit.PX, entity=LEAF, term="TO:0000135",
    method="ellipse of equal second moments, mean of visible leaves",
    definition="mean over the plot's leaves of the longer axis of the ellipse with the leaf's second moments; what "
    "is seen of the leaf, as the camera sees it (TO: its length)",
    uncertainty=_BY_MEAN,
)  # fmt: skip
LEAF_WIDTH = Trait(
    name="leaf_width", label="leaf width", unit=Unit.PX, entity=LEAF, term="TO:0000370",
    method="ellipse of equal second moments, mean of visible leaves",
    definition="mean over the plot's leaves of the shorter axis of the ellipse with the leaf's second moments; what "
    "is seen of the leaf, as the camera sees it (TO: its width)",
    uncertainty=_BY_MEAN,
)  # fmt: skip
EXCESS_GREEN = Trait(
    name="excess_green", label="ExG", unit=Unit.INDEX, entity=LEAF, term="TO:0000326",
    method="2g - r - b of the mean colour, not calibrated",
    definition="2g - r - b of the leaf pixels' mean colour, chromatic coordinates (Woebbecke et al. 1995), not "
    "calibrated",
)  # fmt: skip
GREEN_LEAF_INDEX = Trait(
    name="green_leaf_index", label="GLI", unit=Unit.INDEX, entity=LEAF, term="TO:0000326",
    method="(2G - R - B) / (2G + R + B) of the mean colour, not calibrated",
    definition="(2G - R - B) / (2G + R + B) of the leaf pixels' mean colour (Louhaichi et al. 2001), not calibrated",
)  # fmt: skip
GREENNESS = Trait(
    name="greenness", label="greenness", unit=Unit.FRACTION, entity=LEAF, term="TO:0000326",
    method="G / (R + G + B) of the mean colour, not calibrated",
    definition="G / (R + G + B) of the leaf pixels' mean colour, the green chromatic coordinate, not calibrated",
)  # fmt: skip
HUE = Trait(
    name="hue", label="hue", unit=Unit.DEGREE, entity=LEAF, term="TO:0000326", plantcv="hue_circular_mean",
    method="circular mean of HSV hue, as PlantCV 4, not calibrated",
    definition="circular mean of HSV hue over leaf pixels in steps of 2 degrees; those of hue 0 have none; not "
    "calibrated",
)  # fmt: skip
HUE_SPREAD = Trait(
    name="hue_circular_std", label="hue spread", unit=Unit.DEGREE, entity=LEAF, term="TO:0000326",
    plantcv="hue_circular_std",
    method="circular standard deviation, as PlantCV 4, not calibrated",
    definition="circular standard deviation of HSV hue over leaf pixels in steps of 2 degrees, not calibrated",
)  # fmt: skip
HUE_MEDIAN = Trait(
    name="hue_median", label="median hue", unit=Unit.DEGREE, entity=LEAF, term="TO:0000326", plantcv="hue_median",
    method="median of HSV hue, as PlantCV 4, not calibrated",
    definition="median of HSV hue from 0 to 358 over leaf pixels in steps of 2 degrees, not calibrated",
)  # fmt: skip
HUE_DISTRIBUTION = Trait(
    name="hue_distribution", label="main hue", unit=Unit.DEGREE, entity=LEAF, term="TO:0000326",
    plantcv="hue_frequencies",
    method="fullest of 36 bins of HSV hue, not calibrated",
    definition="histogram: shares of the leaf pixels in 36 bins of HSV hue from 0, grey ones in the first; value: "
    "middle of the fullest; not calibrated",
)  # fmt: skip
SYMPTOMATIC_SHARE = Trait(
    name="symptomatic_share", label="yellow or brown", unit=Unit.FRACTION, entity=LEAF, term="TO:0006060",
    method="HSV hue 10 to 64 degrees, saturation from 0.2, not calibrated",
    definition="share of the leaf pixels of HSV hue 10 to 64 degrees and saturation from 0.2: yellow or brown for "
    "any cause; not calibrated (TO: chlorosis)",
)  # fmt: skip
RELATIVE_GROWTH_RATE = Trait(
    name="relative_growth_rate", label="growth rate", unit=Unit.PER_DAY, entity=WHOLE_PLANT, term="TO:0000515",
    method="Theil-Sen slope of the logarithm of leaf area",
    definition="median of the slopes of the logarithm of leaf area between any two days (Theil 1950, Sen 1968) (TO: "
    "of biomass)",
    uncertainty="width of Sen's 95 % interval of the slope / 3.92",
)  # fmt: skip
PHYLLOCHRON = Trait(
    name="phyllochron", label="days a leaf", unit=Unit.DAY, entity=WHOLE_PLANT, term="TO:0000659", exact=True,
    method="one over the Theil-Sen slope of leaf count",
    definition="days for one more visible leaf: one over the median of the slopes of leaf count between any two days",
    uncertainty="that of the slope, from the width of Sen's 95 % interval, carried over to its inverse",
)  # fmt: skip

VOCABULARY: dict[str, Trait] = {
    trait.name: trait
    for trait in (
        PLANT_COUNT, LEAF_COUNT, LEAF_COUNT_FOLLOWED,
        FRUIT_COUNT, FRUIT_COUNT_GREEN, FRUIT_COUNT_TURNING, FRUIT_COUNT_RIPE,
        PROJECTED_LEAF_AREA, CANOPY_COVER, HEIGHT, WIDTH, EXTENT_X, EXTENT_Y, EXTENT, CONVEX_HULL_AREA, SOLIDITY,
        PERIMETER, COMPACTNESS, LEAF_LENGTH, LEAF_WIDTH, EXCESS_GREEN, GREEN_LEAF_INDEX, GREENNESS, HUE, HUE_SPREAD,
        HUE_MEDIAN, HUE_DISTRIBUTION, SYMPTOMATIC_SHARE, CENTROID_X, CENTROID_Y, RELATIVE_GROWTH_RATE, PHYLLOCHRON,
    )
}  # fmt: skip
"""Every trait by its name on the wire."""

_SHAPE = (CONVEX_HULL_AREA, SOLIDITY, PERIMETER, COMPACTNESS, EXTENT)
_COLOUR = (EXCESS_GREEN, GREEN_LEAF_INDEX, GREENNESS, HUE, HUE_SPREAD, HUE_MEDIAN, HUE_DISTRIBUTION, SYMPTOMATIC_SHARE)
_PLACE = (CENTROID_X, CENTROID_Y)

TRAIT_SETS: dict[str, tuple[str, ...]] = {
    name: tuple(trait.name for trait in traits)
    for name, traits in {
        "top_view": (
            PLANT_COUNT, LEAF_COUNT, LEAF_COUNT_FOLLOWED, PROJECTED_LEAF_AREA, CANOPY_COVER, EXTENT_X, EXTENT_Y,
            *_SHAPE, LEAF_LENGTH, LEAF_WIDTH, *_COLOUR, *_PLACE,
        ),
        "side_view": (PLANT_COUNT, PROJECTED_LEAF_AREA, CANOPY_COVER, HEIGHT, WIDTH, *_SHAPE, *_COLOUR, *_PLACE),
        "fruit": (FRUIT_COUNT, FRUIT_COUNT_GREEN, FRUIT_COUNT_TURNING, FRUIT_COUNT_RIPE, CANOPY_COVER),
    }.items()
}  # fmt: skip
"""Names under which a model package asks for all that can be measured of a kind of picture, by the device's release."""


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Names of traits for names of traits and of sets, each once, in order; names that are neither stay."""
    return tuple(dict.fromkeys(trait for name in names for trait in TRAIT_SETS.get(name, (name,))))
