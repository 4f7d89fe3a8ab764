"""Fruit by ripeness: the shares of colour that the USDA's classes are made of, and what cannot be judged."""

from datetime import datetime, timezone

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.calibration.applied import UNCALIBRATED, Applied
from edge.contract.manifest import Manifest, Thing
from edge.contract.records import Outcome, QualityFlag, TraitValue
from edge.frame import Frame
from edge.lookout import View
from edge.overlay import caption, summary
from edge.plots import Plots
from edge.preprocess import GRID_STRIDE_PX, fit
from edge.ripeness import STAGES, Stage, stages_of
from edge.segmentation import NONE, Objects, Segmentation, decode
from edge.settings import GridPlots
from edge.traits import measure
from tests.sim.answers import answer, inference
from tests.sim.green_model import green_manifest
from training.synthetic.vines import FRUIT, render_ripening, render_vines

FRUIT_MODEL = green_manifest().model_copy(
    update={
        "classes": ("background", "leaf", "fruit"),
        "plant_classes": ("leaf", "fruit"),
        "things": (Thing(name="fruit", threshold=0.2, grouped=True, classes=("fruit",), count_trait="fruit_count"),),
        "traits": ("fruit",),
    }
)
GREEN, YELLOW, RED, LEAF = (70, 140, 95), (59, 155, 199), (30, 35, 190), (40, 160, 60)
SIDE = 8
"""Cells of a fruit's side."""

Shares = tuple[tuple[tuple[int, int, int], float], ...]


def painted(fruit: dict[tuple[int, int], Shares]) -> NDArray[np.uint8]:
    """A picture of square fruit with their top left cells there, in columns of these colours, on leaf."""
    picture = np.full((128, 128, 3), LEAF, np.uint8)
    for (row, column), shares in fruit.items():
        top, left, side = row * GRID_STRIDE_PX, column * GRID_STRIDE_PX, SIDE * GRID_STRIDE_PX
        inside, begin = side - 2 * GRID_STRIDE_PX, 0.0
        for colour, share in shares:
            first, last = (round(GRID_STRIDE_PX + x * inside) for x in (begin, begin + share))
            first, last = (0 if begin == 0 else first), (side if begin + share > 0.999 else last)
            picture[top : top + side, left + first : left + last] = colour
            begin += share
    return picture


def found(places: list[tuple[int, int]], score: float = 0.9) -> dict[str, NDArray[np.generic] | None]:
    """The network's right answer for fruit whose top left cells are there."""
    outputs = answer(FRUIT_MODEL)
    classes, offsets, centers = outputs["classes"], outputs["offsets"], outputs["centers"]
    assert classes is not None and offsets is not None and centers is not None  # noqa: PT018
    classes[0, 1:31, 1:31] = 1
    rows, columns = np.indices(classes.shape[1:])
    for slot, (row, column) in enumerate(places):
        own = slice(row, row + SIDE), slice(column, column + SIDE)
        y, x = row + (SIDE - 1) / 2, column + (SIDE - 1) / 2
        classes[0][own] = FRUIT_MODEL.classes.index("fruit")
        offsets[0, 0][own], offsets[0, 1][own] = (y - rows)[own], (x - columns)[own]
        centers[0, slot] = (y, x, score, 0)
    return outputs


def measured(
    picture: NDArray[np.uint8],
    outputs: dict[str, NDArray[np.generic] | None],
    plots: GridPlots | None = None,
    applied: Applied = UNCALIBRATED,
    flags: tuple[QualityFlag, ...] = (),
    manifest: Manifest = FRUIT_MODEL,
) -> dict[str, tuple[Outcome, dict[str, TraitValue]]]:
    image, placement = fit(picture, 128, 128)
    segmentation = decode(inference(manifest, outputs), manifest, placement)
    entries = measure(image, segmentation, Plots(plots).on(placement), manifest, applied, flags=flags)
    return {entry.plot: (entry.outcome, {value.trait: value for value in entry.traits}) for entry in entries}


def counts(values: dict[str, TraitValue]) -> tuple[float, ...]:
    return tuple(values[trait].value for trait in STAGES)


@pytest.mark.parametrize(
    ("shares", "stage"),
    [
        (((GREEN, 1.0),), Stage.GREEN),
        (((GREEN, 0.9), (YELLOW, 0.1)), Stage.TURNING),
        (((YELLOW, 1.0),), Stage.TURNING),
        (((GREEN, 0.45), (RED, 0.55)), Stage.TURNING),
        (((GREEN, 0.35), (RED, 0.65)), Stage.RIPE),
        (((RED, 1.0),), Stage.RIPE),
    ],
)
def test_a_fruit_is_what_the_share_of_its_colours_makes_it(shares: Shares, stage: Stage) -> None:
    _, values = measured(painted({(10, 10): shares}), found([(10, 10)]))["frame"]
    assert counts(values) == tuple(float(each == stage) for each in Stage)
    assert values["fruit_count"].value == 1


def test_glare_and_shadow_on_a_fruit_are_not_its_colour() -> None:
    picture = painted({(10, 10): ((RED, 1.0),)})
    picture[40:72, 40:48], picture[40:72, 48:60] = 255, 8
    assert counts(measured(picture, found([(10, 10)]))["frame"][1]) == (0, 0, 1)


def test_a_rim_of_what_lies_behind_it_is_not_a_fruits_colour() -> None:
    picture = painted({(10, 10): ((GREEN, 1.0),)})
    inner = picture[42:70, 42:70].copy()
    picture[40:72, 40:72] = RED
    picture[42:70, 42:70] = inner
    assert counts(measured(picture, found([(10, 10)]))["frame"][1]) == (1, 0, 0)


def test_fruit_are_counted_in_their_plots() -> None:
    picture = painted({(10, 4): ((GREEN, 1.0),), (10, 20): ((RED, 1.0),)})
    plots = measured(picture, found([(10, 4), (10, 20)]), GridPlots(rows=1, columns=2))
    assert [counts(plots[name][1]) for name in ("R1C1", "R1C2")] == [(1, 0, 0), (0, 0, 1)]


def test_under_purple_lamps_fruit_are_counted_and_of_no_stage_is_anything_said() -> None:
    picture, outputs = painted({(10, 4): ((RED, 1.0),)}), found([(10, 4)])
    plots = measured(picture, outputs, GridPlots(rows=1, columns=2), flags=(QualityFlag.LAMP,))
    assert set(plots["R1C1"][1]) == {"fruit_count", "canopy_cover"}
    assert plots["R1C1"][1]["fruit_count"].value == 1


def test_a_grey_fruit_is_in_no_class_and_all_are_the_less_sure() -> None:
    picture, outputs = painted({(4, 4): ((RED, 1.0),), (20, 20): (((120, 120, 120), 1.0),)}), found([(4, 4), (20, 20)])
    _, values = measured(picture, outputs)["frame"]
    assert values["fruit_count"].value == 2
    assert counts(values) == (0, 0, 1)
    assert values["fruit_count_green"].uncertainty == pytest.approx(np.sqrt(2 / 9), rel=0.01)


def test_where_no_fruit_can_be_judged_there_is_no_count_of_any_stage() -> None:
    picture = painted({(10, 10): (((120, 120, 120), 1.0),)})
    assert set(measured(picture, found([(10, 10)]))["frame"][1]) == {"fruit_count", "canopy_cover"}


def test_no_plant_is_none_of_any_stage() -> None:
    outcome, values = measured(painted({}), answer(FRUIT_MODEL))["frame"]
    assert outcome is Outcome.NO_PLANT
    assert {value.value for value in values.values()} == {0.0}
    assert {value.uncertainty for value in values.values()} == {None}


def test_a_fruit_whose_colour_lies_between_two_stages_makes_both_counts_unsure() -> None:
    between, clear = (
        measured(painted({(10, 10): ((colour, 1.0),)}), found([(10, 10)], score=1.0))["frame"][1]
        for colour in ((48, 145, 215), RED)
    )
    for trait in ("fruit_count_turning", "fruit_count_ripe"):
        assert between[trait].uncertainty == pytest.approx(0.5)
        assert clear[trait].uncertainty is None


def test_colours_are_corrected_by_the_card_before_they_are_judged() -> None:
    steps = np.arange(0, 256, 2, dtype=np.uint8)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    swapped = np.stack([blue, red, green, np.full_like(blue, 255)], axis=-1).reshape(-1, 4)
    picture, outputs = painted({(10, 10): ((RED, 1.0),)}), found([(10, 10)])
    _, values = measured(picture, outputs, applied=Applied(colours=np.ascontiguousarray(swapped)))["frame"]
    assert counts(values) == (1, 0, 0)
    assert values["fruit_count_green"].method.endswith("corrected by colour card")


def test_the_drawing_says_how_many_are_of_each_stage_and_that_purple_light_did_not_end_the_measuring() -> None:
    picture = painted({(4, 4): ((RED, 1.0),), (20, 20): ((GREEN, 1.0),)})
    image, placement = fit(picture, 128, 128)
    segmentation = decode(inference(FRUIT_MODEL, found([(4, 4), (20, 20)])), FRUIT_MODEL, placement)
    plots = Plots(None).on(placement)
    drawn = []
    for flags in ((), (QualityFlag.LAMP,)):
        entries = tuple(measure(image, segmentation, plots, FRUIT_MODEL, flags=flags))
        frame = Frame(picture, 0, "row", datetime(2026, 7, 1, tzinfo=timezone.utc), 0.0)
        view = View(frame, image, placement, FRUIT_MODEL, flags, segmentation, plots, entries)
        drawn.append((caption(entries[0])[0], summary(view).partition("plot: ")[2]))
    assert drawn == [
        ("frame 2 fruit, 1 green, 1 ripe", "2 fruit, 1 green, 1 ripe"),
        ("frame 2 fruit", "2 fruit (lamp)"),
    ]


def test_a_model_that_counts_no_fruit_reports_no_stage() -> None:
    leaves = green_manifest().model_copy(update={"traits": ("leaf_count", "fruit")})
    outputs = answer(leaves)
    assert not STAGES.keys() & measured(painted({}), outputs, manifest=leaves)["frame"][1].keys()


def test_rendered_fruit_are_judged_as_their_skin_is() -> None:
    """By true instances, so that it is the colours alone that err."""
    right = []
    for seed in range(30):
        scene, ripeness = render_ripening(seed, 256, 256)
        numbers = scene.labels.instances[0]
        count = int(numbers.max()) + 1
        nothing = np.zeros(count, np.float32)
        objects = Objects(nothing, nothing, nothing, np.zeros(count, np.int64), np.full(count, NONE, np.int64))
        cells = np.where(numbers > 0, numbers.astype(np.int32), NONE)[2::GRID_STRIDE_PX, 2::GRID_STRIDE_PX]
        segmentation = Segmentation((cells >= 0).view(np.uint8), cells >= 0, cells, objects)
        stages = stages_of(scene.pixels[None], segmentation, None)[0]
        for number in np.unique(cells[cells != NONE]):
            skin = ripeness[numbers == number]
            if stages[number] != NONE and (skin.max() < 0.3 or skin.min() > 0.7):
                right.append(stages[number] == (Stage.GREEN if skin.max() < 0.3 else Stage.RIPE))
    assert len(right) > 60
    assert np.mean(right) > 0.85


def test_the_ripeness_of_rendered_fruit_is_that_of_the_same_scene() -> None:
    scene, ripeness = render_ripening(3, 192, 256)
    plain = render_vines(3, 192, 256)
    assert np.array_equal(scene.pixels, plain.pixels)
    assert ripeness.shape == (192, 256)
    assert 0 <= ripeness.min() <= ripeness.max() <= 1
    assert ripeness[scene.labels.classes == FRUIT].max() > 0
